"""V2's extensions for operators, asked over HTTP; the forms are those of Triton's documentation."""

from typing import Any

import pytest

from tests.serve.process import Client

DENIED = "the server was not started with --model-control"


def test_the_index_lists_every_version_with_its_state(client: Client) -> None:
    status, answer = client.post("/v2/repository/index", {})
    assert status == 200
    found = {entry["name"]: entry for entry in answer}
    assert found["linear"] == {"name": "linear", "version": "1", "state": "READY", "reason": ""}
    assert found["broken"]["state"] == "UNAVAILABLE"
    assert "Protobuf" in found["broken"]["reason"]
    ready = client.post("/v2/repository/index", {"ready": True})[1]
    assert {entry["name"] for entry in ready} == found.keys() - {"broken"}
    assert client.ask("POST", "/v2/repository/index", "")[1] == answer
    assert client.post("/v2/repository/index", {"ready": 1})[0] == 400
    assert client.get("/v2/repository/index")[0] == 405


@pytest.mark.parametrize(
    "path",
    ["/v2/repository/models/linear/load", "/v2/repository/models/linear/unload", "/v2/logging"],
)
def test_what_changes_something_is_off_unless_enabled(client: Client, path: str) -> None:
    status, answer = client.post(path, {})
    assert (status, DENIED in answer["error"]) == (403, True)


def test_the_configuration(client: Client) -> None:
    for path in ("/v2/models/linear/config", "/v2/models/linear/versions/1/config"):
        status, answer = client.get(path)
        assert (status, answer["name"], answer["backend"]) == (200, "linear", "onnxruntime")
        assert answer["version_policy"] == {"latest": {"num_versions": 1}}
        for kind, name, sizes in (("input", "x", [-1, 3]), ("output", "y", [-1, 2])):
            (tensor,) = answer[kind]
            given = {key: tensor[key] for key in ("name", "data_type", "dims")}
            assert given == {"name": name, "data_type": "TYPE_FP32", "dims": sizes}
    assert client.get("/v2/models/text/config")[1]["input"][0]["data_type"] == "TYPE_STRING"
    assert client.get("/v2/models/nobody/config")[0] == 404


def statistics(client: Client, path: str = "/v2/models/linear/stats") -> Any:
    status, answer = client.get(path)
    assert (status, list(answer)) == (200, ["model_stats"])
    return {entry["name"]: entry for entry in answer["model_stats"]}["linear"]


def test_statistics_count_both_protocols(client: Client) -> None:
    before = statistics(client)
    client.predict("linear", [[1, 2, 3], [4, 5, 6]])
    x = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}
    client.post("/v2/models/linear/infer", {"inputs": [x]})
    client.post("/v2/models/linear/infer", {"inputs": []})
    after = statistics(client, "/v2/models/linear/versions/1/stats")
    assert after["version"] == "1"
    assert after["inference_count"] - before["inference_count"] == 3
    assert after["execution_count"] - before["execution_count"] == 2
    assert (
        after["last_inference"] >= before["last_inference"] > 1.6e12
        or before["last_inference"] == 0
    )

    def grown(kind: str, unit: str) -> int:
        return after["inference_stats"][kind][unit] - before["inference_stats"][kind][unit]

    assert [grown(kind, "count") for kind in ("success", "fail", "compute_infer")] == [2, 1, 2]
    parts = [grown(f"compute_{part}", "ns") for part in ("input", "infer", "output")]
    assert min(parts) > 0
    assert sum(parts) == grown("success", "ns")
    assert statistics(client, "/v2/models/stats") == after

    def runs(entry: Any) -> dict[int, int]:
        return {b["batch_size"]: b["compute_infer"]["count"] for b in entry["batch_stats"]}

    assert {size: runs(after)[size] - runs(before).get(size, 0) for size in (1, 2)} == {1: 1, 2: 1}
    assert sum(b["compute_infer"]["ns"] for b in after["batch_stats"]) > 0


def test_statistics_tell_waiting_from_computing(client: Client) -> None:
    assert client.post("/v1/models/slow:predict", {"inputs": 100})[0] == 200
    (entry,) = client.get("/v2/models/slow/stats")[1]["model_stats"]
    times = {kind: entry["inference_stats"][kind]["ns"] for kind in ("queue", "compute_infer")}
    assert min(times.values()) > 0
    assert sum(times.values()) < entry["inference_stats"]["success"]["ns"]


def test_statistics_are_of_versions_that_can_be_asked(client: Client) -> None:
    assert client.get("/v2/models/linear/versions/2/stats")[0] == 404
    assert client.get("/v2/models/nobody/stats")[0] == 404
    assert client.get("/v2/models/broken/stats") == (200, {"model_stats": []})
    names = [entry["name"] for entry in client.get("/v2/models/stats")[1]["model_stats"]]
    assert "broken" not in names


def test_the_log_settings(permissive: Client) -> None:
    default = {
        "log_file": "",
        "log_info": True,
        "log_warning": True,
        "log_error": True,
        "log_verbose_level": 0,
        "log_format": "default",
    }
    assert permissive.get("/v2/logging") == (200, default)
    changed = default | {"log_info": False, "log_verbose_level": 1}
    change = {"log_info": False, "log_verbose_level": 1}
    assert permissive.post("/v2/logging", change) == (200, changed)
    for wrong, status in (
        ({"log_file": "/etc/passwd"}, 501),
        ({"log_info": True, "log_warning": "yes"}, 400),
        ({"log_verbose_level": -1}, 400),
        ({"log_format": "xml"}, 400),
        ({"log_colour": "red"}, 400),
        ([], 400),
    ):
        assert permissive.post("/v2/logging", wrong)[0] == status
    assert permissive.get("/v2/logging") == (200, changed)
    assert permissive.post("/v2/logging", default | {"log_file": ""})[0] == 501
    del default["log_file"]
    assert permissive.post("/v2/logging", default)[0] == 200


def test_models_are_loaded_and_unloaded_by_order(permissive: Client) -> None:
    path = "/v2/repository/models/half_plus_two"

    def state() -> str:
        return permissive.post("/v2/repository/index", {})[1][0]["state"]

    assert permissive.post(f"{path}/unload", {"parameters": {"unload_dependents": True}}) == (
        200,
        None,
    )
    assert not permissive.is_available("half_plus_two")
    assert state() in ("UNAVAILABLE", "UNLOADING")
    assert permissive.ask("POST", f"{path}/load", "") == (200, None)
    assert state() == "READY"
    assert permissive.predict("half_plus_two", [2]) == [3.0]


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_only_models_of_the_folder_are_loaded(permissive: Client, verb: str) -> None:
    assert permissive.post(f"/v2/repository/models/nobody/{verb}", {})[0] == 404
    for name in ("config", "file:1/model.onnx"):
        body = {"parameters": {name: "{}"}}
        status, answer = permissive.post(f"/v2/repository/models/half_plus_two/{verb}", body)
        assert (status, name in answer["error"]) == (501, True)
    assert permissive.post(f"/v2/repository/models/nobody/{verb}", {"parameters": 1})[0] == 400
    assert permissive.get(f"/v2/repository/models/nobody/{verb}")[0] == 405
