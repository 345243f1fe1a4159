"""trainer.compile: any function of Tensors, against the function itself."""

import numpy as np
import pytest

import trainer
from trainer import nn
from trainer.core.errors import CaptureError, GradientError
from trainer.core.tensor import Tensor

X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)


class Counted:
    """How often a function really runs."""

    def __init__(self, function) -> None:
        self.function, self.calls = function, 0
        self.__name__ = "counted"

    def __call__(self, x, scale=1.0):
        self.calls += 1
        return self.function(x) * scale


def test_it_is_captured_once_per_signature() -> None:
    counted = Counted(lambda x: x.tanh())
    fast = trainer.compile(counted)
    np.testing.assert_allclose(fast(Tensor(X)).numpy(), np.tanh(X), rtol=1e-6)
    captured = counted.calls
    np.testing.assert_allclose(fast(Tensor(-X)).numpy(), np.tanh(-X), rtol=1e-6)
    assert counted.calls == captured
    for other in (Tensor(X[:2]), Tensor(X.astype(np.float64)), Tensor(X[0])):
        np.testing.assert_allclose(fast(other).numpy(), np.tanh(other.numpy()), rtol=1e-6)
        assert counted.calls > captured
        captured = counted.calls
    np.testing.assert_allclose(fast(Tensor(X), 3.0).numpy(), 3 * np.tanh(X), rtol=1e-6)
    assert counted.calls > captured


def test_dynamic_sizes_share_a_graph() -> None:
    counted = Counted(lambda x: x.reshape(x.shape[0], -1).mean(axis=0))
    fast = trainer.compile(counted, dynamic={"x": {0: "rows"}})
    fast(Tensor(X))
    captured = counted.calls
    for rows in (3, 1, 2):
        np.testing.assert_allclose(fast(Tensor(X[:rows])).numpy(), X[:rows].mean(0), rtol=1e-6)
    assert counted.calls == captured


def test_trees_go_in_and_come_out() -> None:
    def function(given, power):
        return {"sum": given["a"] + given["b"][0], "rest": [given["a"] ** float(power), power]}

    made = trainer.compile(function)({"a": Tensor([1.0, 2.0]), "b": [Tensor([3.0, 4.0])]}, 2)
    assert made["sum"].tolist() == [4.0, 6.0]
    assert made["rest"][0].tolist() == [1.0, 4.0]
    assert made["rest"][1] == 2


def test_a_module_gives_its_present_parameters_and_keeps_its_statistics() -> None:
    def network():
        trainer.random.seed(1)
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))

    def output(model, x):
        return model(x)

    eager, compiled, fast = network(), network(), trainer.compile(output)
    for _ in range(2):
        np.testing.assert_allclose(
            fast(compiled, Tensor(X)).numpy(), eager(Tensor(X)).numpy(), atol=1e-6
        )
        for model in (eager, compiled):
            model.assign({"layers.0.weight": nn.Parameter(np.ones((3, 4), np.float32))})
    for name, value in eager.state().items():
        np.testing.assert_allclose(compiled.state()[name], value, atol=1e-6, err_msg=name)
    eager.eval(), compiled.eval()
    np.testing.assert_allclose(
        fast(compiled, Tensor(X)).numpy(), eager(Tensor(X)).numpy(), atol=1e-6
    )


def test_the_gradient_compiles_and_draws_are_new_each_time() -> None:
    gradient = trainer.compile(trainer.value_and_grad(lambda x: (x * x * x).sum()))
    value, g = gradient(Tensor(X))
    np.testing.assert_allclose(value.numpy(), (X**3).sum(), atol=1e-5)
    np.testing.assert_allclose(g.numpy(), 3 * X * X, rtol=1e-5)

    def noisy(x):
        return x + trainer.random.uniform((3, 4))

    fast = trainer.compile(noisy)
    fast(Tensor(X))
    trainer.random.seed(4)
    found = [fast(Tensor(X)).numpy() for _ in range(2)]
    trainer.random.seed(4)
    expected = [noisy(Tensor(X)).numpy() for _ in range(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_inside_a_gradient_the_function_itself_runs() -> None:
    fast = trainer.compile(lambda x: (x * x).sum())
    np.testing.assert_allclose(trainer.grad(fast)(Tensor(X)).numpy(), 2 * X, rtol=1e-6)


def test_a_gradient_through_a_compiled_function_is_refused() -> None:
    x = Tensor(X, requires_grad=True)
    loss = trainer.compile(lambda x: (x * x).sum())(x)
    with pytest.raises(GradientError, match="compiled <lambda>"):
        loss.backward()


def test_a_leak_is_refused_with_its_line() -> None:
    def function(x):
        return x * 2.0 if x.sum() > 0.0 else x

    with pytest.raises(CaptureError, match=r"test_function\.py:\d+: the truth of a bool"):
        trainer.compile(function)(Tensor(X))


def test_what_the_runtime_lacks_is_refused_with_its_line() -> None:
    with pytest.raises(CaptureError, match=r"test_function\.py:\d+: ONNX Runtime cannot run"):
        trainer.compile(lambda x: trainer.ops.erf(x))(Tensor(X.astype(np.float64)))
