"""Where settings come from and who wins, and what wrong ones are told."""

from pathlib import Path

import pytest

from serve.cores import available_cores
from serve.errors import SettingsError
from serve.settings import Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL_BASE_PATH", "MODEL_NAME", "TAPELINE_CONFIG", "TAPELINE_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_those_of_tensorflow_serving_s_image() -> None:
    settings = Settings.read()
    assert (settings.model_base_path, settings.model_name) == (Path("/models"), None)
    assert (settings.host, settings.port) == ("0.0.0.0", 8501)


def test_flag_wins_over_environment_wins_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\ndrain_delay = 1.0\npoll_interval = 1.5\nmodel_base_path = "/file"')
    monkeypatch.setenv("TAPELINE_PORT", "2")
    monkeypatch.setenv("TAPELINE_DRAIN_DELAY", "2")
    settings = Settings.read(config=file, port=3)
    assert (settings.port, settings.drain_delay, settings.poll_interval) == (3, 2.0, 1.5)
    assert settings.model_base_path == Path("/file")
    monkeypatch.setenv("TAPELINE_CONFIG", str(file))
    assert Settings.read().poll_interval == 1.5


@pytest.mark.parametrize("prefix", ["", "TAPELINE_"])
def test_variables_of_tensorflow_serving_s_image_are_read(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(prefix + "MODEL_BASE_PATH", "/elsewhere")
    monkeypatch.setenv(prefix + "MODEL_NAME", "iris")
    settings = Settings.read()
    assert (settings.model_base_path, settings.model_name) == (Path("/elsewhere"), "iris")
    assert Settings.read(model_base_path="/flag").model_base_path == Path("/flag")


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_NAME", "")
    assert Settings.read().model_name is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": "abc"}, "port = 'abc'"),
        ({"port": 70000}, "port = 70000"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"golden": "maybe"}, "'refuse', 'warn' or 'off'"),
        ({"golden": "refus"}, r"golden = 'refus': .*\. Did you mean refuse\?$"),
        ({"prot": 1}, r"no setting 'prot'\. Did you mean port\? There are: .*port"),
        ({"config": "/no/such.toml"}, "no settings file /no/such.toml"),
    ],
)
def test_wrong_settings_are_named(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.read(**flags)


@pytest.mark.parametrize(("text", "message"), [("port = = 1", "not a TOML"), ("prt = 1", "'prt'")])
def test_wrong_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        Settings.read(config=tmp_path / "serve.toml")


def test_threads_default_to_the_cores() -> None:
    assert Settings.read().thread_budget == available_cores() >= 1
    assert Settings.read(threads=3).thread_budget == 3
