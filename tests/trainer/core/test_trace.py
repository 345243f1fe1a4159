"""Capture: what may vary becomes an input or a formula; what leaks is an error with the user's line."""

import itertools
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import trainer
from trainer import Tensor, capture, grad, nn, ops
from trainer.core.errors import CaptureError
from trainer.core.graph import interpret
from trainer.core.proto import from_model, to_model
from trainer.core.sizes import Size, fit

BATCH = {"x": {0: "batch"}}


def rows(count: int, *shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32))


def run(model: onnx.ModelProto, feeds: dict) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def agrees(function, x: Tensor, sizes=(1, 2, 9)) -> None:
    """Captured at one batch size, the graph gives the function's values at others, in ONNX Runtime."""
    captured = capture(function, x, dynamic=BATCH)
    model = to_model(captured.graph)
    for size in sizes:
        other = rows(size, *x.shape[1:], seed=size)
        expected = function(other).numpy()
        np.testing.assert_allclose(
            run(model, {"x": other.numpy()})[0], expected, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(x.shape[0], -1) * 2.0,
        lambda x: x.reshape(x.shape[0] * x.shape[1], 2),
        lambda x: x.reshape(2, x.shape[0], 3),
        lambda x: x.sum(0) * (1 / x.shape[0]),
        lambda x: x.mean(),
        lambda x: x * (x.shape[0] + 3.0),
        lambda x: x * float(2 * x.shape[0]),
        lambda x: x * (x.shape[0] / 2),
        lambda x: x[: x.shape[0] - 1] if x.shape[0] > 1 else x[:0],
        lambda x: x[-1],
        lambda x: x[::-1],
        lambda x: x + Tensor(np.zeros((x.shape[0], 1, 1), np.float32)),
        lambda x: ops.expand(x.mean(), [x.shape[0], 5]),
        lambda x: grad(lambda x: (x * x).mean())(x),
        lambda x: grad(lambda x: (x.reshape(x.shape[0], -1)[:, 1:] ** 2).sum())(x),
    ],
)
def test_sizes_are_no_leaks(function) -> None:
    agrees(function, rows(4, 3, 2))


def test_several_dynamic_axes_are_told_apart_though_their_sizes_are_equal() -> None:
    def function(x: Tensor) -> Tensor:
        batch, time, _ = x.shape
        return x.reshape(batch * time, -1).sum(0) / float(time)

    captured = capture(function, rows(4, 4, 2), dynamic={"x": {0: "batch", 1: "time"}})
    for shape in ((2, 3, 2), (5, 7, 2)):
        x = rows(*shape)
        found = run(to_model(captured.graph), {"x": x.numpy()})[0]
        np.testing.assert_allclose(found, function(x).numpy(), rtol=1e-5)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def leak_if(x: Tensor) -> Tensor:
    loss = x.mean()
    if loss > 0:  # LEAK
        return loss
    return -loss


def leak_float(x: Tensor) -> Tensor:
    return x * float(x.sum())  # LEAK


def leak_item(x: Tensor) -> Tensor:
    return x * x.sum().item()  # LEAK


def leak_numpy(x: Tensor) -> Tensor:
    return x * np.asarray(x).mean()  # LEAK


def leak_mask(x: Tensor) -> Tensor:
    mask = np.random.default_rng().random(3).astype(np.float32)
    return x * mask  # LEAK


def leak_mask_per_row(x: Tensor) -> Tensor:
    mask = np.random.default_rng(0).random(x.shape).astype(np.float32)
    return x * mask  # LEAK


counter = itertools.count()


def leak_counter(x: Tensor) -> Tensor:
    return x * float(next(counter))  # LEAK


def leak_size(x: Tensor) -> Tensor:
    return x / math.sqrt(x.shape[0])  # LEAK


def leak_size_decision(x: Tensor) -> Tensor:
    if x.shape[0] > 6:
        return x.exp()  # LEAK
    return x.tanh()  # LEAK


@pytest.mark.parametrize("dynamic", [BATCH, None], ids=["dynamic", "static"])
@pytest.mark.parametrize(
    "function",
    [leak_if, leak_float, leak_item, leak_numpy, leak_mask, leak_counter],
    ids=lambda f: f.__name__,
)
def test_values_that_leak_name_the_users_line(function, dynamic) -> None:
    refuses(function, dynamic)


@pytest.mark.parametrize(
    "function", [leak_size, leak_size_decision, leak_mask_per_row], ids=lambda f: f.__name__
)
def test_sizes_that_leak_name_the_users_line(function) -> None:
    refuses(function, BATCH)


def refuses(function, dynamic) -> None:
    lines = Path(__file__).read_text().splitlines()
    first = function.__code__.co_firstlineno
    last = max(line for _, _, line in function.__code__.co_lines() if line)
    marked = [n for n in range(first, last + 1) if "# LEAK" in lines[n - 1]]
    with pytest.raises(CaptureError) as caught:
        capture(function, rows(4, 3), dynamic=dynamic)
    assert any(f"test_trace.py:{n}:" in str(caught.value) for n in marked), caught.value


def test_reading_a_parameter_leaks() -> None:
    def step(model: Net, x: Tensor) -> Tensor:
        return model(x) * float(model.layer.weight.data[0, 0])  # the line below is named

    with pytest.raises(CaptureError, match=r"test_trace\.py:\d+: the values of a float32\[1, 3\]"):
        capture(step, Net(), rows(4, 3), dynamic=BATCH)


def test_a_parameter_that_is_no_argument_is_refused() -> None:
    net = Net()
    with pytest.raises(CaptureError, match="Gemm uses a Tensor that requires a gradient"):
        capture(lambda x: net(x), rows(4, 3), dynamic=BATCH)


def test_failing_leaves_the_module_as_it_was() -> None:
    net = Net()
    before = net.named_tensors()
    with pytest.raises(CaptureError):
        capture(lambda net, x: leak_float(net(x)), net, rows(4, 3))
    after = net.named_tensors()
    assert all(after[name] is before[name] for name in before)


def test_running_statistics_become_state_and_the_model_does_not_move() -> None:
    model = nn.BatchNorm1d(3)
    before = model.state()
    captured = capture(lambda model, x: model(x), model, rows(8, 3), dynamic=BATCH)
    assert captured.state == {
        "running_mean": "running_mean.next",
        "running_var": "running_var.next",
    }
    assert all(np.array_equal(before[name], model.state()[name]) for name in before)
    x = rows(5, 3, seed=9)
    found = run(to_model(captured.graph), {**model.state(), "x": x.numpy()})
    names = [value.name for value in captured.graph.outputs]
    expected = model(x)
    np.testing.assert_allclose(found[0], expected.numpy(), rtol=1e-4, atol=1e-5)
    for name in captured.state:
        given = found[names.index(f"{name}.next")]
        np.testing.assert_allclose(given, model.state()[name], rtol=1e-5)


def test_a_random_draw_becomes_an_input_with_its_shape() -> None:
    trainer.random.seed(0)
    before = trainer.random.state()
    dropout = nn.Dropout(0.25)
    captured = capture(lambda x: dropout(x), rows(4, 3), dynamic=BATCH)
    assert trainer.random.state() == before
    (drawn,) = captured.draws
    assert (drawn.distribution, drawn.shape) == ("uniform", (Size(powers=(("batch", 1),)), 3))
    x = rows(6, 3)
    expected = dropout(x).numpy()
    trainer.random.seed(0)
    uniform = trainer.random.sample("uniform", (6, 3))
    found = run(to_model(captured.graph), {"x": x.numpy(), drawn.name: uniform})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_graph_to_protobuf_and_back_is_the_same_graph() -> None:
    model = nn.Sequential(
        nn.Reshape(1, 6, 6),
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 3),
    )
    captured = capture(lambda model, x: model(x), model, rows(4, 36), dynamic=BATCH)
    proto = to_model(captured.graph, {"a": "b"})
    assert (proto.ir_version, proto.opset_import[0].version) == (10, 21)
    back = from_model(onnx.load_from_string(proto.SerializeToString()))
    assert back.canonical() == captured.graph.canonical()
    x = rows(3, 36, seed=5)
    feeds = {**model.state(), "x": x.numpy()}
    (found,) = interpret(back, feeds)
    np.testing.assert_array_equal(found.numpy(), model(x).numpy())
    np.testing.assert_allclose(run(proto, feeds)[0], model(x).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        ReferenceEvaluator(proto).run(None, feeds)[0], model(x).numpy(), rtol=1e-4, atol=1e-6
    )


def test_what_is_interpreted_can_be_differentiated_and_captured_again() -> None:
    first = capture(lambda x: (x.tanh() * x).sum(), rows(4, 3), dynamic=BATCH)

    def again(x: Tensor) -> Tensor:
        return grad(lambda x: interpret(first.graph, [x])[0])(x)

    agrees(again, rows(4, 3))


def test_an_output_may_be_an_input_or_a_constant_or_named_twice() -> None:
    captured = capture(lambda x: {"same": x, "twice": x * 2.0, "again": x * 1.0}, rows(4, 3))
    assert captured.outputs == ("same", "twice", "again")
    captured = capture(lambda x: (lambda y: [y, y, Tensor([1.0])])(x.exp()), rows(2, 2))
    found = run(to_model(captured.graph), {"x": np.zeros((2, 2), np.float32)})
    assert [f.shape for f in found] == [(2, 2), (2, 2), (1,)]


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [({"y": {0: "batch"}}, "'y'.*no Tensor"), ({"x": {5: "batch"}}, "no axis 5")],
)
def test_wrong_dynamic_axes_are_named(dynamic, message) -> None:
    with pytest.raises(CaptureError, match=message):
        capture(lambda x: x * 2.0, rows(4, 3), dynamic=dynamic)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda n: 12 * n, "12*batch"),
        (lambda n: n + 4, "batch+4"),
        (lambda n: 2 * n - 1, "2*batch-1"),
        (lambda n: n // 2, "batch/2"),
        (lambda n: 3.0 / n, "3/batch"),
        (lambda n: n * n, "batch*batch"),
    ],
)
def test_formulas_of_one_size(make, text) -> None:
    size = fit(make(7), {"batch": make(12)}, {"batch": (7, 12)})
    assert str(size) == text
    assert size.at({"batch": 30}) == int(make(30))


def test_a_product_of_two_sizes() -> None:
    size = fit(6 * 5 * 4, {"a": 7 * 5 * 4, "b": 6 * 8 * 4}, {"a": (6, 7), "b": (5, 8)})
    assert str(size) == "4*a*b"
