"""A store that is damaged, removed or restored: a state and a reason in status, metrics and log."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serve.models import HALF_PLUS_THREE, HALF_PLUS_TWO, publish
from tests.serve.process import Client, Server, wait_until


def status(client: Client, version: int) -> dict[str, Any]:
    answer = client.get("/v1/models/m")[1]
    entries = answer.get("model_version_status", [])
    return next((e for e in entries if e["version"] == str(version)), {})


def metrics(client: Client) -> str:
    client.connection.request("GET", "/metrics")
    return client.connection.getresponse().read().decode()


def half_copied(models: Path) -> Path:
    path = publish(models, "m", 2, HALF_PLUS_THREE)
    whole = (path / "model.onnx").read_bytes()
    (path / "model.onnx").write_bytes(whole[: len(whole) // 2])
    return path


def empty(models: Path) -> Path:
    path = models / "m" / "2"
    path.mkdir()
    return path


def unreadable(models: Path) -> Path:
    path = publish(models, "m", 2, HALF_PLUS_THREE)
    (path / "model.onnx").unlink()
    (path / "model.onnx").symlink_to("model.onnx")  # even root cannot follow it
    return path


DAMAGES = {
    half_copied: ("END", "model.onnx has"),
    empty: ("START", "model.onnx is missing."),
    unreadable: ("START", "it cannot be read: "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_version_is_told_of_and_repaired(damage: Any, tmp_path: Path) -> None:
    state, reason = DAMAGES[damage]
    publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    with Server(tmp_path) as server:
        client = server.client()
        wait_until(lambda: client.is_available("m"), "version 1")
        path = damage(tmp_path)
        wait_until(lambda: status(client, 2).get("state") == state, "the damage is seen")
        assert reason in status(client, 2)["status"]["error_message"]
        wait_until(lambda: any(reason in line for line in server.errors), "the damage is logged")
        shown = metrics(client)
        line = f'tapeline_model_version_state{{model="m",state="{state}",version="2"}} 1.0'
        assert line in shown
        assert 'tapeline_model_version_failed{model="m",version="2"} 1.0' in shown
        assert client.get("/v2/health/ready")[0] == 200
        assert client.predict("m", [2]) == [3.0]
        shutil.rmtree(path)
        publish(tmp_path, "m", 2, HALF_PLUS_THREE)
        wait_until(lambda: client.predict("m", [2]) == [4.0], "version 2 answers")
        client.close()


def test_a_store_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    models, away = tmp_path / "models", tmp_path / "away"
    publish(models, "m", 1, HALF_PLUS_TWO)
    with Server(models) as server:
        client = server.client()
        wait_until(lambda: client.is_available("m"), "version 1")
        models.rename(away)
        wait_until(lambda: status(client, 1)["status"]["error_message"], "it is noted")
        entry = status(client, 1)
        assert (entry["state"], entry["status"]["error_code"]) == ("AVAILABLE", "OK")
        assert "served from memory" in entry["status"]["error_message"]
        wait_until(lambda: server.errors, "it is logged")
        assert server.errors[0].startswith("WARNING: the model folder cannot be read: ")
        assert client.predict("m", [2]) == [3.0]
        away.rename(models)
        wait_until(lambda: not status(client, 1)["status"]["error_message"], "it is back")
        publish(models, "m", 2, HALF_PLUS_THREE)
        wait_until(lambda: client.predict("m", [2]) == [4.0], "version 2 answers")
        client.close()
    assert len(server.errors) == 1


def test_a_configuration_file_serves_labels_and_is_read_again(tmp_path: Path) -> None:
    for version, graph in ((1, HALF_PLUS_TWO), (2, HALF_PLUS_THREE)):
        publish(tmp_path / "far", "away", version, graph)
    file = tmp_path / "models.config"
    text = """model_config_list { config {
        name: "m" base_path: "%s" model_platform: "tensorflow"
        version_labels { key: "stable" value: %d } } }"""
    file.write_text(text % (tmp_path / "far" / "away", 1))
    flags = "--model_config_file", str(file), "--model_config_file_poll_wait_seconds", "0.05"
    with Server(tmp_path / "nowhere", *flags) as server:
        client = server.client()
        wait_until(lambda: client.is_available("m", 1), "the labelled version")
        wait_until(lambda: client.predict("m", [2]) == [4.0], "the newest version")

        def ask(label: str) -> tuple[int, Any]:
            return client.post(f"/v1/models/m/labels/{label}:predict", {"instances": [2]})

        assert ask("stable") == (200, {"predictions": [3.0]})
        assert ask("beta")[0] == 400
        time.sleep(0.01)  # so that the file's time differs
        file.write_text(text % (tmp_path / "far" / "away", 2))
        wait_until(lambda: ask("stable") == (200, {"predictions": [4.0]}), "the label moves")
        client.close()
