"""Passes never change a value: the graph before and after, run eagerly on the same inputs."""

from dataclasses import replace

import numpy as np
import pytest

import trainer
from trainer import nn, optim
from trainer.compiled import patterns
from trainer.compiled.passes import PASSES, optimize
from trainer.core.graph import Graph, interpret
from trainer.core.tensor import Tensor, apply, wrap
from trainer.core.trace import Captured, capture
from trainer.step import training_step

PICTURES, ROWS = (6, 1, 8, 8), (6, 5)
NETWORKS = {
    "dense": (lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)), ROWS),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.4), nn.Linear(8, 3)), ROWS),
    "norm": (lambda: nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3), nn.Tanh()), ROWS),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        ),
        PICTURES,
    ),
}


def step_graph(name: str, dynamic: bool) -> tuple[Captured, dict[str, np.ndarray]]:
    trainer.random.seed(3)
    make, shape = NETWORKS[name]
    model, optimizer = make(), optim.AdamW()
    generator = np.random.default_rng(5)
    x = generator.standard_normal(shape).astype(np.float32)
    y = np.arange(len(x)) % 3
    state = optimizer.init(model.tree_children())
    arguments = (model, state, wrap(np.asarray(0.01)), wrap(x), wrap(y))
    axes = {"x": {0: "batch"}, "y": {0: "batch"}} if dynamic else {}
    captured = capture(training_step(nn.cross_entropy, optimizer, 1.0), *arguments, dynamic=axes)
    inputs = {"x": x, "y": y, "lr": np.asarray(0.01)}
    inputs |= {n: t.numpy() for n, t in model.named_tensors().items()}
    for value in captured.graph.inputs:
        if value.name not in inputs:
            shape = tuple(n if isinstance(n, int) else len(x) for n in value.shape)
            inputs[value.name] = generator.uniform(0, 1, shape).astype(value.dtype)
    return captured, inputs


def assert_same(before: Graph, after: Graph, inputs: dict[str, np.ndarray]) -> None:
    expected, found = interpret(before, inputs), interpret(after, inputs)
    for value, a, b in zip(before.outputs, expected, found, strict=True):
        assert a.dtype == b.dtype, value.name
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-5, atol=1e-6, err_msg=value.name)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_pass_keeps_the_values_of_a_step(name: str, dynamic: bool) -> None:
    captured, inputs = step_graph(name, dynamic)
    graph = captured.graph
    for one in PASSES:
        after = one(graph)
        assert_same(graph, after, inputs)
        graph = after
    after = optimize(captured.graph)
    assert_same(captured.graph, after, inputs)
    assert len(after.equations) < len(captured.graph.equations)
    assert after.inputs == captured.graph.inputs


def optimized(function, *arrays) -> Graph:
    """The graph of a function after all passes, checked against the function."""
    captured = capture(function, *map(wrap, arrays))
    graph = optimize(captured.graph)
    given = [value.name for value in graph.inputs]
    assert_same(captured.graph, graph, dict(zip(given, arrays, strict=True)))
    return graph


def operators(graph: Graph) -> list[str]:
    return [equation.op for equation in graph.equations]


X = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)


def test_equal_expressions_are_computed_once() -> None:
    assert operators(optimized(lambda x: x.exp() * x.exp(), X)) == ["Exp", "Mul"]


def test_constants_are_folded_and_shared() -> None:
    def function(x: Tensor) -> Tensor:
        ones = apply("ConstantOfShape", np.array([3, 4]), value=np.ones(1, np.float32))
        return x * (ones + 1.0) + (ones + ones)

    graph = optimized(function, X)
    assert operators(graph) == ["Mul", "Add"]
    assert len(graph.constants) == 1


def test_what_changes_nothing_is_gone() -> None:
    def function(x: Tensor) -> Tensor:
        y = apply("Expand", apply("Identity", x).reshape(3, 4), [3, 4])
        return (y.cast(np.float32) * 1.0 + 0.0).permute(0, 1).tanh()

    assert operators(optimized(function, X)) == ["Tanh"]


def test_a_product_that_broadcasts_stays() -> None:
    ones = np.ones((2, 3, 4), np.float32)
    assert operators(optimized(lambda x: (x * ones).tanh(), X)) == ["Mul", "Tanh"]


def test_transposes_move_into_gemm() -> None:
    y = X[:, :2].copy()
    graph = optimized(lambda x, y: apply("Gemm", x.T, y), X, y)
    assert operators(graph) == ["Gemm"]
    assert operators(optimized(lambda x, y: x.T @ y, X, y)) == ["Gemm"]
    twice = optimized(lambda x, y: apply("Gemm", x.T, y, transA=1), X, np.ones((4, 2), np.float32))
    assert operators(twice) == ["Gemm"]


def test_the_gradient_of_cross_entropy_is_softmax_minus_onehot() -> None:
    y = np.array([0, 3, 3])

    def function(x: Tensor, y: Tensor) -> Tensor:
        return trainer.grad(lambda x: nn.cross_entropy(x, y))(x)

    graph = optimized(function, X, y)
    assert [op for op in operators(graph) if op != "Unsqueeze"] == [
        "LogSoftmax",
        "Exp",
        "ScatterElements",
        "Mul",
    ]
    softmax = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    (found,) = interpret(graph, [X, y])
    np.testing.assert_allclose(found.numpy(), (softmax - np.eye(4)[y]) / 3, rtol=1e-5, atol=1e-7)


def test_products_take_over_what_one_side_is_multiplied_by() -> None:
    y, ones = X.T.copy(), np.ones((2, 3), np.float32)

    def function(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        scaled = x * 0.3
        return scaled.T @ scaled, apply("Gemm", y, scaled, alpha=0.5), ones @ scaled

    graph = optimized(function, X, y)
    assert operators(graph) == ["Gemm", "Gemm", "MatMul"]
    assert sorted(e.attrs["alpha"] for e in graph.equations[:2]) == pytest.approx([0.09, 0.15])
    column = np.array([[0.5], [1.0], [2.0]], np.float32)
    assert "Mul" in operators(optimized(lambda x: (x * column).T @ x, X))
    # An attribute has the precision of float32.
    doubles = X.astype(np.float64)
    assert "Mul" in operators(optimized(lambda x: (x * 0.3).T @ x, doubles))
    assert operators(optimized(lambda x: (x * 0.25).T @ x, doubles)) == ["Gemm"]


def test_a_multiple_is_taken_after_scattering() -> None:
    places, parts = np.array([[1], [0], [2]]), np.full((3, 1), -0.5, np.float32)

    def added(x: Tensor, y: Tensor) -> Tensor:
        sums = apply("ScatterElements", x * 0.25, places, parts, axis=1, reduction="add")
        return sums @ y.T

    graph = optimized(added, X, X)
    assert operators(graph) == ["ScatterElements", "Gemm"]


def test_what_is_no_multiple_to_the_last_digit_stays() -> None:
    places, x = np.array([[1], [0], [2]]), np.arange(12).reshape(3, 4)

    def added(x: Tensor) -> Tensor:
        parts = np.ones((3, 1), x.dtype)
        return apply("ScatterElements", x * 3, places, parts, axis=1, reduction="add")

    assert operators(optimized(added, x)) == ["Mul", "ScatterElements"]
    large = np.full((2, 3), 2**53 + 1)
    assert operators(optimized(lambda x: large @ (x * 3), x)) == ["Mul", "MatMul"]

    def tiny(x: Tensor) -> Tensor:
        parts = np.full((3, 1), 1e30, np.float32)
        return apply("ScatterElements", x * 1e-30, places, parts, axis=1, reduction="add")

    assert operators(optimized(tiny, X)) == ["Mul", "ScatterElements"]


def test_what_relu_lets_through_is_masked_by_a_cast() -> None:
    def masked(x: Tensor) -> Tensor:
        return x.relu() * (x.relu() > 0.0).cast(np.float32)

    large = np.arange(-600, 600, dtype=np.float32)
    assert operators(optimized(masked, large)) == ["Relu", "Cast", "Cast", "Mul"]
    assert operators(optimized(masked, X)) == ["Relu", "Sign", "Mul"]
    assert operators(optimized(lambda x: x > 0.0, X)) == ["Greater"]


def test_rows_are_summed_by_a_product() -> None:
    assert operators(optimized(lambda x: x.sum(axis=0), X)) == ["MatMul"]
    assert operators(optimized(lambda x: x.sum(axis=0, keepdims=True), X)) == [
        "Reshape",
        "MatMul",
        "Reshape",
    ]
    assert operators(optimized(lambda x: x.sum(axis=1), X)) == ["ReduceSum"]
    assert operators(optimized(lambda x: x.sum(axis=0), X.astype(np.int64))) == ["ReduceSum"]
    halves = capture(lambda x: x.sum(axis=0), wrap(X.astype(np.float16)))
    assert "MatMul" not in operators(optimize(halves.graph))


def test_what_broadcasts_is_not_expanded() -> None:
    row = X[:1].copy()
    graph = optimized(lambda x, row: x - apply("Expand", row, [3, 4]), X, row)
    assert operators(graph) == ["Sub"]
    both = optimized(lambda row: apply("Expand", row, [3, 4]) * apply("Expand", row, [3, 4]), row)
    assert operators(both).count("Expand") == 1


def test_the_gradient_of_a_square_is_added_once() -> None:
    row = X[:1].copy()

    def function(x: Tensor, row: Tensor) -> Tensor:
        term = row * x
        return (x + term) + term

    assert operators(optimized(function, X, row)) == ["Mul", "Mul", "Add"]
    assert operators(optimized(lambda x: (x + x * x) + x * x, X)) == ["Mul", "Add", "Add"]


def test_an_exponent_may_be_an_integer() -> None:
    def function(n: Tensor) -> Tensor:
        return apply("Pow", np.float64(0.9), (n + 1).cast(np.float64))

    assert operators(optimized(function, np.array(3))) == ["Add", "Pow"]


def test_a_sum_is_negated_rather_than_what_is_summed() -> None:
    assert operators(optimized(lambda x: (-x).sum(axis=1), X)) == ["ReduceSum", "Neg"]


def test_random_operators_are_neither_shared_nor_folded() -> None:
    captured = capture(lambda x: x + 1.0, wrap(X))
    [add] = captured.graph.equations
    uniform = [
        replace(add, op="RandomUniform", inputs=(), outputs=(n,), attrs={"shape": [3, 4]})
        for n in ("a", "b")
    ]
    total = replace(add, inputs=("a", "b"))
    graph = replace(captured.graph, equations=(*uniform, total))
    assert operators(optimize(graph)) == ["RandomUniform", "RandomUniform", "Add"]


def test_an_operator_with_a_subgraph_is_not_folded_and_not_shared() -> None:
    captured = capture(lambda x: (x * 2.0) + (x * 2.0), wrap(X))
    first, second, last = captured.graph.equations
    inner = [replace(e, op="Scan", attrs={"body": captured.graph}) for e in (first, second)]
    graph = replace(captured.graph, equations=(*inner, last))
    assert [equation.op for equation in optimize(graph).equations] == ["Scan", "Scan", "Add"]


def test_every_pattern_says_what_it_does() -> None:
    assert all(one.__doc__ for one in PASSES)
    assert len(patterns.PATTERNS) == len({one.__name__ for one in patterns.PATTERNS})
