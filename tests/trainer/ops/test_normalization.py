"""What normalizations do beyond single cases: precision, running statistics, older forms."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer.core.errors import OperatorError
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply

torch = oracle("torch")

_R = np.random.default_rng(0)


def test_far_from_zero_the_variance_is_not_lost() -> None:
    x = (_R.standard_normal((4, 64)) + 10_000).astype(np.float32)
    y = apply("LayerNormalization", x, np.ones(64, np.float32)).numpy()
    expected = torch.nn.functional.layer_norm(torch.tensor(x), (64,))
    np.testing.assert_allclose(y, expected, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_layer_statistics_of_halves_are_float32(dtype: str) -> None:
    wide = Tensor(_R.standard_normal((2, 8)).astype(np.float32))
    x, scale = wide.cast(_dtype(dtype)), Tensor(np.ones(8, np.float32)).cast(_dtype(dtype))
    y, mean, inverse = apply("LayerNormalization", x, scale, outputs=3)
    assert (y.dtype.name, mean.dtype.name, inverse.dtype.name) == (dtype, "float32", "float32")
    values = x.cast(np.float32).numpy()
    np.testing.assert_allclose(mean.numpy(), values.mean(1, keepdims=True), rtol=1e-5, atol=1e-6)
    deviation = np.sqrt(values.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(inverse.numpy(), 1 / deviation, rtol=1e-5)

    def loss(inputs):
        return (apply("LayerNormalization", *inputs) * x).sum()

    for g, given in zip(grad(loss)([x, scale]), (x, scale), strict=True):
        assert (g.dtype, g.shape) == (given.dtype, given.shape)


def _dtype(name: str) -> np.dtype:
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name, name))


def test_batch_statistics_may_have_another_dtype() -> None:
    x = Tensor(_R.standard_normal((3, 2, 4)).astype(np.float16))
    scale, b = (Tensor(np.ones(2, np.float32)) for _ in range(2))
    mean, var = (Tensor(np.ones(2, np.float64)) for _ in range(2))
    for training in (0, 1):
        y = apply("BatchNormalization", x, scale, b, mean, var, training_mode=training)
        assert y.dtype == np.float16

        def loss(inputs, training=training):
            y = apply("BatchNormalization", *inputs, mean, var, training_mode=training)
            return (y * y).sum()

        gradients = grad(loss)([x, scale, b])
        assert [g.dtype.name for g in gradients] == ["float16", "float32", "float32"]


def test_batch_statistics_run_as_onnx_says() -> None:
    x = _R.standard_normal((4, 2, 3)).astype(np.float32)
    ones, old = np.ones(2, np.float32), np.array([3, 4], np.float32)
    _, mean, var = apply(
        "BatchNormalization", x, ones, ones, old, old, training_mode=1, momentum=0.75, outputs=3
    )
    np.testing.assert_allclose(mean.numpy(), 0.75 * old + 0.25 * x.mean((0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), 0.75 * old + 0.25 * x.var((0, 2)), rtol=1e-6)


def test_factors_per_group_are_those_of_opset_18() -> None:
    x, scale, b = _R.standard_normal((2, 6, 4)), _R.standard_normal(3), _R.standard_normal(3)
    inputs = [torch.tensor(v, requires_grad=True) for v in (x, scale, b)]
    wide = [v.repeat_interleave(2) for v in inputs[1:]]
    expected = torch.nn.functional.group_norm(inputs[0], 3, *wide)
    (expected**3).sum().backward()

    def loss(given):
        y = apply("GroupNormalization", *given, num_groups=3)
        np.testing.assert_allclose(y.numpy(), expected.detach(), rtol=1e-9)
        return (y * y * y).sum()

    gradients = grad(loss)([Tensor(v) for v in (x, scale, b)])
    for g, wanted in zip(gradients, inputs, strict=True):
        np.testing.assert_allclose(g.numpy(), wanted.grad, rtol=1e-8, atol=1e-8)


def test_what_does_not_fit_is_said() -> None:
    x, two = np.ones((1, 6, 2), np.float32), np.ones(2, np.float32)
    with pytest.raises(OperatorError, match="6 channels do not split into 4 groups"):
        apply("GroupNormalization", x, two, two, num_groups=4)
    four = np.ones(4, np.float32)
    with pytest.raises(OperatorError, match="4 factors or shifts do not fit 6 channels"):
        apply("GroupNormalization", x, four, four, num_groups=3)
