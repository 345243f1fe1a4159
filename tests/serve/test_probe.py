"""Model files that crash, hang or exhaust the runtime are reported and not served."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from serve.errors import LoadError
from serve.manager import Manager
from serve.policy import State
from serve.probe import Probe, fingerprint
from serve.servable import Servable, load
from serve.source import Candidate, FolderSource
from tests.serve.models import HALF_PLUS_TWO, publish
from tests.serve.process import Server, wait_until

ENDLESS = """(float[N] x) => (float[N] y) {
    go = Constant<value = bool {1}>()
    y = Loop(, go, x) <body = body (int64 i, bool more, float[N] v) => (bool on, float[N] w)
        { on = Identity(more) w = Neg(v) }>
}"""
TEN_GIGABYTES = """(float[1] x) => (float[N] y) {
    size = Constant<value_ints = [2684354560]>() zeros = ConstantOfShape(size) y = Add(x, zeros)
}"""
HUGE_INPUT = "(float[2684354560] x) => (float[2684354560] y) { y = Neg(x) }"


def deep(depth: int = 20_000) -> onnx.ModelProto:
    """Functions that call one another: putting them in place overflows the stack."""
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("deep", 1)]

    def call(domain: str, operator: str) -> onnx.NodeProto:
        return helper.make_node(operator, ["x"], ["y"], domain=domain)

    bodies = [call("", "Neg"), *(call("deep", f"f{i}") for i in range(depth - 1))]
    functions = [
        helper.make_function("deep", f"f{i}", ["x"], ["y"], [body], opsets)
        for i, body in enumerate(bodies)
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N"]) for n in "xy")
    graph = helper.make_graph([call("deep", f"f{depth - 1}")], "g", [x], [y])
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(seconds=20, memo=tmp_path / "memo")


def test_a_good_version_passes_and_is_remembered(tmp_path: Path, probe: Probe) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    probe.check(folder)
    assert [path.name for path in probe.memo.iterdir()] == [fingerprint(folder)]
    aborting = Probe(memo=probe.memo, module="tests.serve.aborting_probe")
    aborting.check(folder)  # not spawned: the memory is shared with the other probe
    (folder / "model.onnx").write_bytes(b"changed")
    with pytest.raises(LoadError, match="SIGABRT"):
        aborting.check(folder)


def test_a_probe_that_cannot_remember_still_passes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Probe(memo=tmp_path / "file" / "memo").check(publish(tmp_path, "m", 1, HALF_PLUS_TWO))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("home", ["", "HOME=/root"])
def test_a_user_whom_nobody_knows_needs_no_home(home: str) -> None:
    """As clusters run containers: a number without an entry, whose home is missing or another's."""
    program = """
import os
from serve.probe import Probe
from trainer.compiled.choices import local_table
os.setgid(54321)
os.setuid(54321)
print(Probe()._is_remembered("key"), local_table().name)
"""
    environment = ["PYTHONPATH=" + os.pathsep.join(filter(None, sys.path)), *filter(None, [home])]
    command = ["env", "-i", *environment, sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr) == ("False choices.json\n", "")


def test_a_loader_that_aborts_is_reported(tmp_path: Path, probe: Probe) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    aborting = Probe(memo=probe.memo, module="tests.serve.aborting_probe")

    def loader(candidate: Candidate) -> Servable:
        return load(candidate.path, probe=aborting.check)

    manager = Manager(FolderSource(tmp_path), loader)
    manager.step()
    (state,) = manager.status("m")
    assert state.state is State.END
    assert state.error == "opening it or running an example ended the probe with SIGABRT."
    with pytest.raises(LoadError, match="SIGABRT"):
        aborting.check(folder)  # a failure is not remembered


def test_a_graph_that_overflows_the_stack_is_reported(tmp_path: Path, probe: Probe) -> None:
    (tmp_path / "1").mkdir()
    onnx.save(deep(), str(tmp_path / "1" / "model.onnx"))
    with pytest.raises(LoadError, match="SIGSEGV"):
        probe.check(tmp_path / "1")


def test_a_file_that_is_no_graph_is_reported_in_the_runtime_s_words(
    tmp_path: Path, probe: Probe
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(LoadError, match=r"ONNX Runtime: .*[Pp]rotobuf"):
        probe.check(tmp_path)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [(TEN_GIGABYTES, "too much memory: .*10737418240"), (HUGE_INPUT, "more memory than")],
)
def test_a_tensor_of_ten_gigabytes_is_reported(
    graph: str, reason: str, tmp_path: Path, probe: Probe
) -> None:
    with pytest.raises(LoadError, match=reason):
        probe.check(publish(tmp_path, "m", 1, graph))


def test_the_limit_on_memory_can_be_set(tmp_path: Path) -> None:
    folder = publish(tmp_path, "m", 1, TEN_GIGABYTES.replace("2684354560", "67108864"))
    with pytest.raises(LoadError, match="too much memory"):
        Probe(memory=2**27, memo=tmp_path / "memo").check(folder)
    Probe(memory=2**30, memo=tmp_path / "memo").check(folder)


def test_closing_ends_the_child_at_work(tmp_path: Path, probe: Probe) -> None:
    probe.close()
    with pytest.raises(LoadError, match="stopping"):
        probe.check(publish(tmp_path, "m", 1, ENDLESS))


def test_the_server_outlives_what_it_probes_and_says_so(tmp_path: Path) -> None:
    publish(tmp_path, "good", 1, HALF_PLUS_TWO)
    publish(tmp_path, "huge", 1, TEN_GIGABYTES)
    publish(tmp_path, "endless", 1, ENDLESS)
    deeper = publish(tmp_path, "deep", 1, HALF_PLUS_TWO, manifest=False)
    onnx.save(deep(), str(deeper / "model.onnx"))
    reasons = {
        "huge": "too much memory",
        "endless": "more than 5 s of processor time",
        "deep": "SIGSEGV",  # a slow machine needs more than a second to get there
    }
    with Server(tmp_path, "--probe-seconds", "5") as server:
        client = server.client()
        wait_until(lambda: client.is_available("good"), "good")
        for model, reason in reasons.items():
            wait_until(lambda m=model: any(m in line for line in server.errors), model)
            assert reason in next(line for line in server.errors if model in line)
            (status,) = client.get(f"/v1/models/{model}")[1]["model_version_status"]
            assert status["state"] == "END"
            assert reason in status["status"]["error_message"]
            assert client.post(f"/v1/models/{model}:predict", {"instances": [1]})[0] == 404
        assert client.predict("good", [2]) == [3.0]
        client.close()


def test_stopping_does_not_wait_for_a_probe(tmp_path: Path) -> None:
    publish(tmp_path, "endless", 1, ENDLESS)
    with Server(tmp_path, "--probe-seconds", "1000") as server:
        client = server.client()
        wait_until(
            lambda: "LOADING" in str(client.get("/v1/models/endless")[1]), "the probe is at work"
        )
        client.close()
