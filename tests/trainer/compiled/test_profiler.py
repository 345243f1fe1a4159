"""ONNX Runtime's timings lead back to the operators that the graph was made of."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from trainer import nn, optim
from trainer.compiled import CompiledStep
from trainer.compiled.facts import Facts
from trainer.compiled.profiler import Run, Watch, origin, watching
from trainer.compiled.session import session
from trainer.core.graph import Equation, Graph
from trainer.core.mode import Place
from trainer.core.proto import from_model


@pytest.fixture
def watch():
    made = Watch()
    token = watching.set(made)
    yield made
    watching.reset(token)
    made.end()


def runs_of(watch: Watch, model: nn.Module, x: np.ndarray, count: int) -> list[Run]:
    step = CompiledStep(model, nn.cross_entropy, optim.Adam())
    for _ in range(count):
        step.train(x, np.arange(len(x)) % 3, 0.01)
    return watch.look_from_outside()


def test_every_run_but_the_first_has_every_operator(watch: Watch) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    runs = runs_of(watch, model, np.ones((5, 6), np.float32), 4)
    assert len(runs) == 3
    kinds = [Counter((t.operator, t.place) for t in run.timings) for run in runs]
    assert kinds[0] == kinds[1] == kinds[2]
    for run in runs:
        assert 0.0 < sum(t.seconds for t in run.timings) <= run.seconds
        assert {t.place.phase for t in run.timings} == {"forward", "backward", "optimizer"}
        layers = {t.place.layer for t in run.timings if t.place.phase == "forward"}
        assert layers >= {"layers.0 Linear", "layers.2 Linear"}


def test_operators_that_were_fused_keep_a_place(watch: Watch) -> None:
    """Gemm and Relu become one, and so do Conv and Relu in ONNX Runtime's blocked layout."""
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 3),
    )  # fmt: skip
    run = runs_of(watch, model, np.ones((4, 3, 8, 8), np.float32), 2)[0]
    fused = {t.operator: t.place for t in run.timings if "Fused" in t.operator}
    assert fused["FusedGemm"].layer == "layers.4 Linear"
    added = {t.operator for t in run.timings if t.place is None}
    assert added <= {"ReorderInput", "ReorderOutput", "Reshape"}
    pooling = [t for t in run.timings if t.operator == "MaxPool"]
    assert {t.place.layer for t in pooling} == {"layers.2 MaxPool2d"}


def test_names_that_onnx_runtime_makes_lead_back() -> None:
    place = Place("model.py", 3, "first Linear")
    names = ("Gemm_1", "MaxPool_2", "layers.0.weight.next")
    equations = tuple(Equation("Relu", ("x",), (name,), line=place) for name in names)
    facts = Facts(Graph((), (), equations, {}))
    for name in (
        "Gemm_1", "fused Gemm_1", "Gemm_1/MatmulTransposeFusion/", "MaxPool_2_nchwc",
        "Gemm_1/MatMulAddFusion/GemmTransposeFusion/", "Gemm_1_new_reshape", "layers.0.weight.next",
    ):  # fmt: skip
        assert origin(name, facts) == place, name
    for name in ("ReorderOutput", "gemm_output_reshape_token_1", "MaxPool_21", ""):
        assert origin(name, facts) is None, name


def test_a_loop_s_body_is_not_counted_twice(watch: Watch) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["v", "v"], ["w"]),
            helper.make_node("Identity", ["c"], ["d"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [4]),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [4]),
        ],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["x"], ["a"]),
            helper.make_node("Loop", ["n", "", "a"], ["b"], body=body),
            helper.make_node("Neg", ["b"], ["y"]),
        ],
        "loop",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    made = session(from_model(model), timed=True)
    for _ in range(2):
        result = made.run(None, {"n": np.array(5), "x": np.ones(4, np.float32)})[0]
        np.testing.assert_array_equal(result, np.full(4, -32.0))
    (run,) = watch.look_from_outside()
    assert [t.operator for t in run.timings] == ["Abs", "Loop", "Neg"]
    assert sum(t.seconds for t in run.timings) <= run.seconds
