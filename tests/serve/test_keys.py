"""API keys: each role on a real server, and what a wrong file is told."""

from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.keys import Keys, role_of
from tests.serve import models
from tests.serve.process import Server, wait_until

FILE = """
predict = ["app", "both"]
metrics = ["prometheus", "both"]
manage = ["operator"]
"""
PREDICT = "/v1/models/m:predict"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (PREDICT, "predict"),
        ("/v2/models/m/infer", "predict"),
        ("/openapi.json", "predict"),
        ("/v2/models/repository/infer", "predict"),
        ("/v2/repository/index", "manage"),
        ("/v2/repository/models/m/load", "manage"),
        ("/v2/logging", "manage"),
        ("/v2/models/m/trace/setting", "manage"),
        ("/metrics", "metrics"),
        ("/monitoring/prometheus/metrics", "metrics"),
        ("/v2/models/m/versions/1/stats", "metrics"),
    ],
)
def test_paths_need_roles(path: str, role: str) -> None:
    assert role_of(path) == role


def test_keys_open_what_they_are_for(tmp_path: Path) -> None:
    models.publish(tmp_path / "models", "m", 1, models.HALF_PLUS_TWO)
    (tmp_path / "keys.toml").write_text(FILE)
    with Server(tmp_path / "models", "--api-keys-file", str(tmp_path / "keys.toml")) as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")

        def status(key: str, method: str, path: str) -> int:
            body = {"instances": [2]} if method == "POST" else None
            given = client.ask(method, path, body, {"Authorization": f"Bearer {key}"})
            assert given[0] == 200 or key in ("", "none") or "not for" in given[1]["error"]
            return given[0]

        keys = ("app", "both", "prometheus", "operator", "none", "")
        assert [status(k, "POST", PREDICT) for k in keys] == [200, 200, 403, 403, 401, 401]
        assert client.headers["www-authenticate"] == "Bearer"
        assert status("app", "GET", "/metrics") == 403
        assert status("app", "GET", "/metric%73") == 403
        assert client.ask("POST", PREDICT, {"instances": [2]}, {"X-API-Key": "app"})[0] == 200
        assert client.get("/openapi.json")[0] == 401
        client.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('admin = ["x"]', "no role 'admin'; there are: predict, manage, metrics"),
        ('predict = "x"', "predict must be a list of keys"),
        ('predict = [""]', "predict must be a list of keys"),
        ("predict", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        Keys.read(file)
