"""The model configuration file in both its forms, and what wrong ones are told."""

from pathlib import Path

import pytest

from serve import models_config
from serve.errors import SettingsError
from serve.models_config import Label, ModelConfig, ModelEntry
from serve.policy import VersionPolicy

# The example of TensorFlow Serving's documentation, and its other policies.
PROTO = """
# two models
model_config_list {
  config {
    name: 'my_first_model'
    base_path: '/tmp/my_first_model/'
    model_platform: 'tensorflow'
    model_version_policy {
      specific {
        versions: 42
        versions: 43
      }
    }
    version_labels {
      key: 'stable'
      value: 42
    }
    version_labels { key: "canary", value: 43 }
  }
  config: { name: "b" base_path: "/b" model_version_policy: < latest { num_versions: 2 } > }
  config { name: "c" base_path: "/" "c" model_version_policy { all {} } };
  config { name: "d" base_path: "/d" }
}
"""
TOML = """
[[model]]
name = "my_first_model"
base_path = "/tmp/my_first_model/"
versions = {specific = [42, 43]}
labels = {stable = 42, canary = 43}

[[model]]
name = "b"
base_path = "/b"
versions = {latest = 2}

[[model]]
name = "c"
base_path = "/c"
versions = "all"

[[model]]
name = "d"
base_path = "/d"
"""
BOTH = frozenset([42, 43])
EXPECTED = {
    "my_first_model": ModelEntry(
        Path("/tmp/my_first_model"),
        ModelConfig(VersionPolicy(1, BOTH, BOTH), {"stable": Label(42), "canary": Label(43)}),
    ),
    "b": ModelEntry(Path("/b"), ModelConfig(VersionPolicy(2))),
    "c": ModelEntry(Path("/c"), ModelConfig(VersionPolicy(None))),
    "d": ModelEntry(Path("/d")),
}


def read(folder: Path, name: str, text: str) -> dict[str, ModelEntry]:
    (folder / name).write_text(text)
    return models_config.read(folder / name)


@pytest.mark.parametrize(("name", "text"), [("models.config", PROTO), ("models.toml", TOML)])
def test_both_forms_say_the_same(name: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path, name, text) == EXPECTED


@pytest.mark.parametrize("name", ["empty.config", "empty.toml"])
def test_an_empty_file_names_no_models(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, name, "") == {}


def test_toml_says_more(tmp_path: Path) -> None:
    text = """
[[model]]
name = "m"
base_path = "/m"
device = "cuda"
session = {intra_op_thread_count = 2}
labels.canary = {version = 4, percent = 5}
"""
    config = read(tmp_path, "m.toml", text)["m"].config
    assert config.labels == {"canary": Label(4, 5.0)}
    assert (config.device, config.session) == ("cuda", {"intra_op_thread_count": 2})
    assert config.policy.labelled == {4}


ENTRY = 'model_config_list {{ config {{ name: "m" base_path: "/m" {} }} }}'
TABLE = '[[model]]\nname = "m"\nbase_path = "/m"\n'


def batching(options: str) -> str:
    return f'[[model]]\nname = "m"\nbase_path = "/m"\nbatching = {{{options}}}'


def test_a_model_has_batches_of_its_own(tmp_path: Path) -> None:
    options = "allowed_batch_sizes = [2, 4], batch_delay = 0.01, max_queue = 9"
    config = read(tmp_path, "m.toml", batching(options))["m"].config
    assert config.batching == {
        "enabled": True,
        "max_batch_size": 4,
        "allowed_sizes": (2, 4),
        "delay": 0.01,
        "max_queue": 9,
    }
    off = read(tmp_path, "m.toml", batching("enabled = false"))["m"].config
    assert off.batching == {"enabled": False}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.toml", batching("size = 3"), "batching has size; known are enabled, max_batch_size"),
        ("m.toml", batching("max_batch_size = 0"), "max_batch_size = 0 must be a whole number"),
        ("m.toml", batching("enabled = 1"), "enabled = 1 must be true or false"),
        ("m.toml", batching('batch_delay = "1"'), "batch_delay = '1' must be seconds"),
        ("m.toml", batching("allowed_batch_sizes = [4, 2]"), "must increase and end with"),
        ("m.config", "model_config_list {", "line 1: expected a field's name, found the end"),
        ("m.config", 'a {\n b: "1\n}', "line 2: '\"1"),
        ("m.config", "a\nb", "line 2: expected ':' or '{', found 'b'"),
        ("m.config", "a: }", "expected a value, found '}'"),
        ("m.config", "models {}", r"the file has models; known are model_config_list\.$"),
        ("m.config", "custom_model_config {}", "custom_model_config is for sources"),
        ("m.config", 'model_config_list { config { name: "m" } }', "needs a name and a base_path"),
        (
            "m.config",
            ENTRY.format("nam: 1"),
            r"model m has nam; known are name, .*\. Did you mean name\?$",
        ),
        ("m.config", ENTRY.format("logging_config {}"), "use the access log"),
        ("m.config", ENTRY.format("model_version_policy { specific {} }"), "must be 'all'"),
        ("m.config", ENTRY.format("model_version_policy { newest {} }"), "must be 'all'"),
        ("m.config", ENTRY.format('version_labels { key: "a" value: x }'), "value = 'x' must be"),
        ("m.toml", "a = ", "Invalid value"),
        ("m.toml", "[model]\nname = 'm'", r"written as \[\[model\]\]"),
        ("m.toml", TABLE * 2, "two models have one name"),
        ("m.toml", TABLE + "versions = {latest = 0}", "latest = 0 must be a whole number from 1"),
        ("m.toml", TABLE + "device = 'tpu'", "must be 'cpu' or 'cuda'"),
        ("m.toml", TABLE + "session = {threads = 1}", "model m: session has threads; known are "),
        ("m.toml", TABLE + "session = {intra_op_thread_count = 0}", "whole number from 1"),
        ("m.toml", TABLE + "session = {enable_mem_arena = 1}", "must be true or false"),
        ("m.toml", TABLE + "labels.a = {version = 1, percent = 101}", "between 0 and 100"),
        ("m.toml", TABLE + "labels.a = {percent = 1}", "version of label a = None"),
        ("m.toml", "model = [1]", "model = 1 must be a table"),
        ("m.toml", TABLE + "labels = [1]", r"model m: labels = \[1\] must be a table"),
        ("m.toml", TABLE + "labels.a = true", "model m: label a = True must be a whole number"),
        ("m.toml", TABLE + "labels.a = -1", "label a = -1 must be a whole number from 0"),
        ("m.toml", TABLE + "labels.a = {version = 1, percent = true}", "between 0 and 100"),
        (
            "m.toml",
            TABLE
            + "labels.a = {version = 1, percent = 60}\nlabels.b = {version = 2, percent = 60}",
            "the percentages of its labels are 120 together",
        ),
        ("m.toml", TABLE + "session = 2", "model m: session = 2 must be a table"),
        ("m.toml", TABLE + "session = {execution_mode = 7}", "must be a whole number from 0 to 1"),
        ("m.toml", TABLE + "session = {gpu_mem_limit = []}", "must be a number or a text"),
        ("m.toml", TABLE + "batching = 3", "model m: batching = 3 must be a table"),
        ("m.toml", batching("batch_delay = nan"), "must be seconds"),
        ("m.toml", batching("queue_seconds = inf"), "must be seconds"),
        ("m.toml", batching("allowed_batch_sizes = 4"), "must be a list of whole numbers"),
        ("m.toml", batching("allowed_batch_sizes = []"), "must be a list of whole numbers"),
        ("m.toml", TABLE + "versions = {specific = 3}", "specific = 3 must be a list of whole"),
        ("m.config", "model_config_list: 3", "model_config_list = 3 must be a table"),
        ("m.config", 'model_config_list { config: "m" }', "config = 'm' must be a table"),
        ("m.config", ENTRY.format("model_version_policy: 3"), "model_version_policy = 3 must be"),
        ("m.config", ENTRY.format("model_version_policy { latest: 3 }"), "latest = 3 must be a"),
        (
            "m.config",
            ENTRY.format("model_version_policy { latest { num_version: 3 } }"),
            "latest has num_version; known are num_versions. Did you mean num_versions",
        ),
        ("m.config", ENTRY.format("model_version_policy { all { a: 1 } }"), "nothing to say in it"),
        ("m.config", ENTRY.format("version_labels: 3"), "version_labels = 3 must be a table"),
        ("m.config", ENTRY.format('version_labels { key: "a" }'), "label a: value = None must be"),
        ("m.config", ENTRY.format("version_labels { value: 1 }"), "version_labels need a key"),
        ("m.config", ENTRY.format("version_labels { value: 1 key: '\\377' }"), "text in UTF-8"),
        ("m.config", 'model_config_list { config { name: [] base_path: "/m" } }', "needs a name"),
        ("m.config", "a {" * 5000, "expected at most 100 messages within each other"),
    ],
)
def test_wrong_files_are_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read(tmp_path, name, text)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        models_config.read(tmp_path / "nowhere.toml")


def test_protocol_buffers_own_parser_agrees() -> None:
    """The same text by protocol buffers' parser, with a message that it knows."""
    from google.protobuf import struct_pb2, text_format

    from serve import textproto

    text = """fields { key: "a" value { string_value: "x\\"y" 'z' '\\303\\244\\x41\\n' } } fields: []
        fields < key: "b", value: { bool_value: true }; >"""
    message = text_format.Parse(text, struct_pb2.Struct())
    ours = textproto.parse(text)
    first, second = (entry["value"][0] for entry in ours["fields"])
    assert first["string_value"] == [message["a"]]
    assert second["bool_value"] == [message["b"]]


def test_the_example_of_the_documentation_is_understood(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "reliability.md"
    text = page.read_text().partition("```toml\n")[2].partition("```")[0]
    config = read(tmp_path, "m.toml", text)["digits"].config
    assert config.policy == VersionPolicy(2, labelled=frozenset([3, 4]))
    assert config.labels == {"stable": Label(3), "canary": Label(4, 5.0)}
