"""The model configuration file: which models there are, where, in which versions, by which labels."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from serve import fields, textproto
from serve.batching import Batching
from serve.errors import SettingsError
from serve.policy import LATEST, VersionPolicy

Device = Literal["cpu", "cuda"]
SessionOptions = Mapping[str, str | int | float | bool]

COUNTS = ("intra_op_thread_count", "inter_op_thread_count", "execution_mode")
SWITCHES = (
    "enable_mem_arena",
    "enable_mem_pattern",
    "session.use_device_allocator_for_initializers",
)
CUDA_OPTIONS = (
    "gpu_mem_limit",
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "do_copy_in_default_stream",
)
# The names in the file, and those of the fields.
BATCHING = {
    "enabled": "enabled",
    "max_batch_size": "max_batch_size",
    "batch_delay": "delay",
    "allowed_batch_sizes": "allowed_sizes",
    "pad_variable_length_inputs": "pad_lengths",
    "max_queue": "max_queue",
    "queue_seconds": "queue_seconds",
}


@dataclass(frozen=True, slots=True)
class Label:
    """A name for a version, which may also take a share of the requests that name none."""

    version: int
    percent: float = 0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How one model is served.

    Attributes:
        policy: Which versions are served.
        labels: Names for versions.
        device: What computes it; None leaves it to the server's setting.
        session: ONNX Runtime's options by their names in Triton's backend.
        batching: Fields of `Batching` in which its queue differs from those of the other models.
    """

    policy: VersionPolicy = LATEST
    labels: Mapping[str, Label] = field(default_factory=dict)
    device: Device | None = None
    session: SessionOptions = field(default_factory=dict)
    batching: Mapping[str, Any] = field(default_factory=dict)


DEFAULT = ModelConfig()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the file: its folder and how it is served."""

    base_path: Path
    config: ModelConfig = DEFAULT


def read(path: Path) -> dict[str, ModelEntry]:
    """Read a file: TOML where its name ends in .toml, else TensorFlow Serving's text format.

    Raises:
        SettingsError: It cannot be read, or says what is not understood.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The model configuration {path} cannot be read: {error}.") from error
    try:
        if path.suffix == ".toml":
            entries = [_from_toml(table) for table in _tables(tomllib.loads(text))]
        else:
            entries = [_from_proto(message) for message in _configs(textproto.parse(text))]
        models = dict(entries)
        if len(models) < len(entries):
            raise SettingsError("two models have one name")
    except (SettingsError, ValueError) as error:
        end = "" if str(error).endswith(("?", ".")) else "."
        raise SettingsError(f"The model configuration {path} is wrong: {error}{end}") from error
    return models


def _tables(content: dict[str, Any]) -> list[Any]:
    fields.known(content, "the file", "model")
    tables = content.get("model", [])
    if not isinstance(tables, list):
        raise SettingsError("models are written as [[model]], each with name and base_path")
    return tables


def _from_toml(written: Any) -> tuple[str, ModelEntry]:
    name, base = _name_and_path(fields.table(written, "model"))
    where = f"model {name}"
    known = "name", "base_path", "versions", "labels", "device", "session", "batching"
    table = fields.known(written, where, *known)
    targets = fields.table(table.get("labels", {}), f"{where}: labels")
    labels = {label: _label(target, label, where) for label, target in targets.items()}
    if (total := sum(label.percent for label in labels.values())) > 100:
        raise SettingsError(f"{where}: the percentages of its labels are {total:g} together")
    device = table.get("device")
    if device is not None and device not in get_args(Device):
        raise SettingsError(f"{where}: device = {device!r} must be 'cpu' or 'cuda'")
    policy = _policy(table.get("versions", {"latest": 1}), where)
    session = _session(table.get("session", {}), where)
    batching = _batching(table.get("batching", {}), where)
    return name, _entry(base, policy, labels, cast(Device | None, device), session, batching)


def _label(target: Any, label: str, where: str) -> Label:
    if not isinstance(target, Mapping):
        return Label(fields.number(target, f"{where}: label {label}"))
    fields.known(target, f"{where}: a label", "version", "percent")
    return Label(
        fields.number(target.get("version"), f"{where}: version of label {label}"),
        fields.percent(target.get("percent", 0), f"{where}: percent"),
    )


def _session(written: Any, where: str) -> SessionOptions:
    options = fields.known(written, f"{where}: session", *COUNTS, *SWITCHES, *CUDA_OPTIONS)
    for option, value in options.items():
        name = f"{where}: {option}"
        if option == "execution_mode":
            fields.number(value, name, most=1)
        elif option in COUNTS:
            fields.number(value, name, least=1)
        elif option in SWITCHES:
            fields.switch(value, name)
        elif not isinstance(value, str | int):
            raise SettingsError(f"{name} = {value!r} must be a number or a text")
    return options


def _batching(written: Any, where: str) -> dict[str, Any]:
    given = dict(fields.known(written, f"{where}: batching", *BATCHING))
    for option, value in given.items():
        name = f"{where}: {option}"
        if option in ("enabled", "pad_variable_length_inputs"):
            fields.switch(value, name)
        elif option in ("batch_delay", "queue_seconds"):
            fields.seconds(value, name)
        elif option == "allowed_batch_sizes":
            given[option] = tuple(fields.numbers(value, name, least=1))
        else:
            fields.number(value, name, least=1)
    chosen = {BATCHING[option]: value for option, value in given.items()}
    if sizes := chosen.get("allowed_sizes"):
        chosen.setdefault("max_batch_size", sizes[-1])
    Batching(**chosen)  # which says what does not fit together
    return {"enabled": True, **chosen} if chosen else {}


def _policy(versions: Any, where: str) -> VersionPolicy:
    if versions == "all":
        return VersionPolicy(latest=None)
    if isinstance(versions, Mapping) and len(versions) == 1:
        if "latest" in versions:
            return VersionPolicy(latest=fields.number(versions["latest"], f"{where}: latest", 1))
        if versions.get("specific"):
            numbers = fields.numbers(versions["specific"], f"{where}: specific")
            return VersionPolicy(specific=frozenset(numbers))
    raise SettingsError(
        f"{where}: versions = {versions!r} must be 'all', {{latest = 2}} or {{specific = [1, 2]}}"
    )


def _configs(message: textproto.Message) -> list[Any]:
    if "custom_model_config" in message:
        raise SettingsError("custom_model_config is for sources that are compiled in; name models")
    fields.known(message, "the file", "model_config_list")
    configs = []
    for models in message.get("model_config_list", []):
        configs += fields.known(models, "model_config_list", "config").get("config", [])
    return configs


def _from_proto(message: Any) -> tuple[str, ModelEntry]:
    last = {name: values[-1] for name, values in fields.table(message, "config").items()}
    name, base = _name_and_path(last)
    where = f"model {name}"
    if "logging_config" in message:
        raise SettingsError(f"{where}: logging_config has no meaning here; use the access log")
    # The platform says how TensorFlow Serving loads a model; here all are ONNX.
    known = "name", "base_path", "model_platform", "model_type"
    fields.known(message, where, *known, "model_version_policy", "version_labels")
    labels = {}
    for written in message.get("version_labels", []):
        entry = fields.known(written, f"{where}: version_labels", "key", "value")
        if "key" not in entry:
            raise SettingsError(f"{where}: version_labels need a key, given is {dict(entry)}")
        label, version = entry["key"][-1], entry.get("value", [None])[-1]
        labels[str(label)] = Label(fields.number(version, f"{where}: label {label}: value"))
    policy = _proto_policy(last.get("model_version_policy", {}), f"{where}: model_version_policy")
    return name, _entry(base, _policy(policy, where), labels, None, {}, {})


def _proto_policy(written: Any, where: str) -> Any:
    """A policy of the text format, as TOML has it."""
    policy: Any = {"latest": 1}
    for kind, values in fields.table(written, where).items():
        inner = fields.table(values[-1], f"{where}: {kind}")
        if kind == "all":
            fields.known(inner, f"{where}: all")
            policy = "all"
        elif kind == "latest":
            fields.known(inner, f"{where}: latest", "num_versions")
            policy = {"latest": inner.get("num_versions", [1])[-1]}
        else:
            fields.known(inner, f"{where}: {kind}", "versions")
            policy = {kind: inner.get("versions", [])}
    return policy


def _entry(
    base: Path,
    policy: VersionPolicy,
    labels: Mapping[str, Label],
    device: Device | None,
    session: Mapping[str, Any],
    batching: Mapping[str, Any],
) -> ModelEntry:
    labelled = frozenset(label.version for label in labels.values())
    policy = VersionPolicy(policy.latest, policy.specific, labelled)
    return ModelEntry(base, ModelConfig(policy, labels, device, session, batching))


def _name_and_path(given: Mapping[str, Any]) -> tuple[str, Path]:
    name, base = given.get("name"), given.get("base_path")
    if not isinstance(name, str) or not name or not isinstance(base, str) or not base:
        raise SettingsError(f"a model needs a name and a base_path, given are {dict(given)}")
    return name, Path(base)
