"""Loading real graphs: what is refused and why, and what a run gives."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from serve.errors import InvalidArgument, LoadError
from serve.servable import QUICK, load
from tests.serve import models
from tests.serve.models import build, publish

X = np.array([[1, 2, 3], [-1, 0.5, 2]], np.float32)


def golden(error: float = 0.0) -> dict[str, Any]:
    weights = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    return {"input/x": X, "output/y": X @ weights + np.float32(error)}


def test_a_run_computes_what_the_reference_computes(tmp_path: Path) -> None:
    servable = load(publish(tmp_path, "m", 1, models.LINEAR))
    expected = ReferenceEvaluator(build(models.LINEAR)).run(None, {"x": X})
    np.testing.assert_allclose(servable.run({"x": X})["y"], expected[0])
    assert servable.signature.input["x"].shape == ("batch", 3)


def test_only_the_outputs_asked_for_are_given(tmp_path: Path) -> None:
    servable = load(publish(tmp_path, "m", 1, models.SUM_AND_DIFFERENCE))
    feeds = {"a": X[0], "b": X[1]}
    assert list(servable.run(feeds)) == ["sum", "difference"]
    assert list(servable.run(feeds, ["difference"])) == ["difference"]


def test_what_the_model_cannot_take_is_the_request_s_fault(tmp_path: Path) -> None:
    servable = load(publish(tmp_path, "m", 1, models.SUM_AND_DIFFERENCE))
    feeds = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
    with pytest.raises(InvalidArgument, match=r"ONNX Runtime: .* (Add|Sub) node"):
        servable.run(feeds)
    assert servable.run({"a": X[0], "b": X[0]})  # and the session goes on


def test_a_quick_model_gets_one_thread_and_a_slow_one_all(tmp_path: Path) -> None:
    quick = load(publish(tmp_path, "quick", 1, models.LINEAR), threads=2)
    assert quick.threads == 1
    assert quick.seconds < QUICK
    rounds = {"input/rounds": np.array(2000), "output/y": np.zeros((96, 96), np.float32)}
    slow = load(publish(tmp_path, "slow", 1, models.SLOW, golden=rounds), threads=2)
    assert slow.threads == 2
    assert slow.seconds > QUICK


def test_a_model_that_takes_no_zeros_is_served_unmeasured(tmp_path: Path) -> None:
    gather = """(int64[N] i) => (float[N] y) {
        table = Constant<value_floats = [1.0, 2.0]>()
        minus = Constant<value_ints = [5]>() at = Sub(i, minus) y = Gather(table, at)
    }"""
    servable = load(publish(tmp_path, "m", 1, gather), threads=2)
    assert servable.seconds == math.inf
    assert servable.run({"i": np.array([5, 6])})["y"].tolist() == [1.0, 2.0]


def test_inputs_with_a_value_of_their_own_are_optional(tmp_path: Path) -> None:
    model = build("(float[N] x, float[1] bias) => (float[N] y) { y = Add(x, bias) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([10]), "bias"))
    path = publish(tmp_path, "m", 1, models.LINEAR, manifest=False)
    onnx.save(model, str(path / "model.onnx"))
    servable = load(path)
    assert servable.signature.required == {"x"}
    assert servable.signature.input["bias"].shape == (1,)
    assert servable.run({"x": np.float32([1])})["y"] == 11
    assert servable.run({"x": np.float32([1]), "bias": np.float32([2])})["y"] == 3


def test_golden_examples_that_agree_are_served(tmp_path: Path) -> None:
    load(publish(tmp_path, "m", 1, models.LINEAR, golden=golden()))
    load(publish(tmp_path, "m", 2, models.LINEAR, golden=golden(1e-5), manifest=False))


def test_golden_examples_that_disagree_are_refused_with_the_largest_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = publish(tmp_path, "m", 1, models.LINEAR, golden=golden(0.25))
    with pytest.raises(LoadError, match=r"output 'y': the largest error is 0\.25"):
        load(path)
    load(path, golden_mode="off")
    assert not caplog.records
    load(path, golden_mode="warn")
    assert "the largest error is 0.25" in caplog.text


def test_tolerances_come_from_the_manifest(tmp_path: Path) -> None:
    wide = {"y": {"rtol": 0, "atol": 0.3, "compare": "close"}}
    load(publish(tmp_path, "m", 1, models.LINEAR, golden=golden(0.25), tolerances=wide))


def test_golden_examples_are_cut_for_a_model_of_fixed_batch(tmp_path: Path) -> None:
    graph = models.LINEAR.replace("batch", "1")
    load(publish(tmp_path, "m", 1, graph, golden=golden()))
    with pytest.raises(LoadError, match="largest error"):
        load(publish(tmp_path, "m", 2, graph, golden=golden(1.0)))


def test_golden_examples_that_the_model_cannot_take_are_refused(tmp_path: Path) -> None:
    wrong = {"input/x": X[:, :2], "output/y": X[:, :2]}
    with pytest.raises(LoadError, match="golden examples cannot be run"):
        load(publish(tmp_path, "m", 1, models.LINEAR, golden=wrong))


@pytest.mark.parametrize("content", [b"junk", b"PK\x03\x04junk", b""])
def test_a_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = publish(tmp_path, "m", 1, models.LINEAR, manifest=False)
    (path / "golden.npz").write_bytes(content)
    with pytest.raises(LoadError, match=r"golden\.npz is damaged"):
        load(path)


def test_an_archive_of_python_objects_is_refused(tmp_path: Path) -> None:
    objects = {"input/x": np.array([{}]), "output/y": np.array([1.0])}
    with pytest.raises(LoadError, match=r"golden\.npz is damaged"):
        load(publish(tmp_path, "m", 1, models.LINEAR, golden=objects))


def test_a_changed_graph_is_refused(tmp_path: Path) -> None:
    path = publish(tmp_path, "m", 1, models.HALF_PLUS_TWO)
    graph = (path / "model.onnx").read_bytes()
    (path / "model.onnx").write_bytes(graph[:-1] + b"!")
    with pytest.raises(LoadError, match="SHA-256"):
        load(path)


def test_what_is_not_a_graph_is_refused(tmp_path: Path) -> None:
    path = publish(tmp_path, "m", 1, models.LINEAR, manifest=False)
    (path / "model.onnx").write_bytes(b"junk")
    with pytest.raises(LoadError, match=r"ONNX Runtime: .*Protobuf parsing failed"):
        load(path)


def test_a_signature_for_another_graph_is_refused(tmp_path: Path) -> None:
    signature = {"format": 1, "inputs": [{"name": "other", "shape": []}], "outputs": []}
    metadata = {"tapeline.signature": json.dumps(signature)}
    with pytest.raises(LoadError, match="other"):
        load(publish(tmp_path, "m", 1, models.LINEAR, metadata=metadata))


def test_telemetry_is_off() -> None:
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
