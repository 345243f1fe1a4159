"""Reverse mode of any order and forward mode, against central differences in float64."""

import gc
import sys

import numpy as np
import pytest

import trainer
from trainer import Tensor, grad, jvp, nn, no_grad, optim, value_and_grad
from trainer.core.errors import GradientError


def f(x: Tensor) -> Tensor:
    return ((x.tanh() * x).exp() / (x * x + 1.0)).sum()


def slope(function, x: np.ndarray, direction: np.ndarray, step: float = 1e-5) -> np.ndarray:
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


def values(function):
    return lambda array: function(Tensor(array)).numpy()


def test_gradients_of_every_order_agree_with_central_differences() -> None:
    generator = np.random.default_rng(0)
    x, v = generator.standard_normal((2, 5))
    derivative = f
    for _ in range(3):
        previous, scalar = derivative, Tensor(v)
        g = grad(previous)(Tensor(x)).numpy()
        np.testing.assert_allclose(
            np.vdot(g, v), slope(values(previous), x, v), rtol=1e-6, atol=1e-8
        )

        def derivative(x, previous=previous, scalar=scalar):
            return (grad(previous)(x) * scalar).sum()


def test_jvp_agrees_with_central_differences_and_needs_no_rules_of_its_own() -> None:
    generator = np.random.default_rng(1)
    x, v = generator.standard_normal((2, 3, 4))
    w = Tensor(generator.standard_normal((4, 2)))

    def function(x: Tensor) -> Tensor:
        return (x @ w).sigmoid() * (x @ w)

    y, tangent = jvp(function, Tensor(x), Tensor(v))
    np.testing.assert_allclose(y.numpy(), function(Tensor(x)).numpy())
    np.testing.assert_allclose(tangent.numpy(), slope(values(function), x, v), rtol=1e-6, atol=1e-9)


def test_jvp_of_a_gradient_is_a_hessian_vector_product() -> None:
    x, v = np.array([0.3, -1.2]), np.array([1.0, 2.0])
    _, product = jvp(grad(f), Tensor(x), Tensor(v))
    np.testing.assert_allclose(product.numpy(), slope(values(grad(f)), x, v), rtol=1e-6)


def test_jvp_of_what_does_not_depend_on_the_input_is_zero() -> None:
    _, tangent = jvp(lambda x: Tensor([1.0, 2.0]), Tensor([3.0]), Tensor([1.0]))
    assert tangent.tolist() == [0.0, 0.0]


def test_trees_and_modules_differentiate_by_name() -> None:
    value, gradients = value_and_grad(lambda p: (p["a"] * p["b"][0]).sum())(
        {"a": Tensor([2.0]), "b": [Tensor([3.0])]}
    )
    assert value.item() == 6
    assert (gradients["a"].tolist(), gradients["b"][0].tolist()) == ([3.0], [2.0])
    model = nn.Sequential(nn.Linear(2, 1))
    gradients = grad(lambda m: m(Tensor([[1.0, 2.0]])).sum())(model)
    assert gradients["layers.0.weight"].tolist() == [[1.0, 2.0]]


def test_a_value_beside_the_loss_is_passed_through() -> None:
    (loss, extra), g = value_and_grad(lambda x: ((x * x).sum(), x + 1.0))(Tensor([3.0]))
    assert (loss.item(), extra.tolist(), g.tolist()) == (9.0, [4.0], [6.0])


def test_backward_accumulates_as_in_pytorch() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_a_gradient_inside_a_loss_is_differentiated_again() -> None:
    """The gradient penalty: an inner derivative by x, an outer one by w."""

    def penalty(w: Tensor) -> Tensor:
        inner = grad(lambda x: (w * x * x * x).sum())(Tensor([2.0], "float64"))
        return (inner * inner).sum()

    w = Tensor([1.5], "float64")
    assert grad(penalty)(w).tolist() == [2 * 1.5 * 12.0**2]
    w = Tensor([1.5], "float64", requires_grad=True)
    penalty(w).backward()
    assert w.grad.tolist() == [2 * 1.5 * 12.0**2]


def test_an_argument_is_not_confused_with_what_it_was_made_of() -> None:
    """d/dx of x*y with y made of the same source is y: y is a constant to the inner derivative."""

    def outer(w: Tensor) -> Tensor:
        y = w * w
        return grad(lambda x: (x * y).sum())(w).sum()

    assert grad(outer)(Tensor([3.0])).tolist() == [6.0]


def test_no_grad_and_detach_stop_gradients() -> None:
    x = Tensor([2.0], requires_grad=True)
    with no_grad():
        assert not (x * x).requires_grad
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_a_shared_subexpression_counts_once_per_use() -> None:
    y = grad(lambda x: ((lambda h: h + h * h)(x * 2.0)).sum())(Tensor([3.0]))
    assert y.tolist() == [2.0 + 2 * 6.0 * 2.0]


def test_an_absent_gradient_is_zero_in_the_result() -> None:
    gradients = grad(lambda p: (p["a"] * 2.0).sum())({"a": Tensor([1.0]), "b": Tensor([1.0, 2.0])})
    assert gradients["b"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tensor([1.0, 2.0], requires_grad=True).backward(), r"float32\[2\].*\.mean\(\)"),
        (lambda: Tensor(1.0).backward(), "nothing this value depends on requires a gradient"),
        (lambda: grad(lambda x: x.sum())(Tensor([1, 2])), "int64.*not floating point"),
        (lambda: Tensor([1], requires_grad=True), "int64"),
        (lambda: grad(lambda x: 3.0)(Tensor([1.0])), "this is float"),
    ],
)
def test_impossible_derivatives_are_explained(make, message) -> None:
    with pytest.raises(GradientError, match=message):
        make()


def test_an_operator_without_a_rule_names_itself_and_its_line() -> None:
    from trainer.core.define import op
    from trainer.core.op import REGISTRY

    @op("OneWay")
    def one_way(x):
        return x

    try:
        x = Tensor([1.0], requires_grad=True)
        with trainer.detect_anomaly():
            y = one_way(x).sum()
        with pytest.raises(
            GradientError, match=r"OneWay \(test_tape\.py:\d+\) has no gradient rule"
        ):
            y.backward()
    finally:
        del REGISTRY["OneWay"]


def test_memory_goes_by_reference_counting() -> None:
    """A thousand training steps with the garbage collector off do not grow memory."""
    generator = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 3)
    )
    optimizer = optim.SGD(model, lr=0.01, momentum=0.9)
    x = Tensor(generator.standard_normal((32, 8)).astype(np.float32))
    y = Tensor(generator.integers(0, 3, 32))

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            nn.cross_entropy(model(x), y).backward()
            optimizer.step()

    gc.collect()
    gc.disable()
    try:
        steps(500)  # Python's own lists of free tuples are full by then
        before = sys.getallocatedblocks()
        steps(1000)
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert grown < 500, f"{grown} objects more after 1,000 steps"


def test_python_may_decide_in_eager_training() -> None:
    """An `if` on a value, and a `for` over a length that changes from batch to batch."""

    class Recursive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(6, 4)
            self.head = nn.Linear(4, 1)

        def forward(self, sequence: Tensor) -> Tensor:
            h = Tensor(np.zeros((1, 4), np.float32))
            for x in sequence:
                h = self.cell(trainer.ops.concat(x.unsqueeze(0), h, axis=1)).tanh()
                if h.sum() < 0:
                    h = h * 0.5
            return self.head(h)

    trainer.random.seed(3)
    model = Recursive()
    optimizer = optim.Adam(model, lr=0.01)
    generator = np.random.default_rng(0)
    losses = []
    for step in range(150):
        sequence = generator.standard_normal((2 + step % 5, 2)).astype(np.float32)
        target = Tensor([[float(sequence.sum() > 0)]])
        optimizer.zero_grad()
        loss = nn.binary_cross_entropy_with_logits(model(Tensor(sequence)), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-30:]) < 0.75 * np.mean(losses[:30])
