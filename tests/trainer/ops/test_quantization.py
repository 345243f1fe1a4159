"""Quantizing and back against PyTorch's fake quantization, gradients included."""

import ml_dtypes
import numpy as np
import pytest

from tests.oracle import oracle
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply

torch = oracle("torch")

_GENERATOR = np.random.default_rng(0)
_X = (_GENERATOR.standard_normal((3, 4, 5)) * 8).astype(np.float32)
_SEED = _GENERATOR.standard_normal((3, 4, 5)).astype(np.float32)


def there_and_back(x, scale, zero_point, **attrs):
    y = apply("QuantizeLinear", x, scale, zero_point, **attrs)
    return apply("DequantizeLinear", y, scale, zero_point, **attrs)


def test_the_pair_is_fake_quantization():
    scale, zero_point = np.array(0.1, np.float32), np.array(3, np.int8)
    x = torch.tensor(_X, requires_grad=True)
    expected = torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -128, 127)
    (expected * torch.tensor(_SEED)).sum().backward()
    y = there_and_back(Tensor(_X), scale, zero_point)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    g = grad(lambda x: (there_and_back(x, scale, zero_point) * _SEED).sum())(Tensor(_X))
    np.testing.assert_allclose(g.numpy(), x.grad.numpy(), rtol=1e-5, atol=1e-6, strict=True)
    assert 0 < (g.numpy() == 0).sum() < _X.size  # some lie outside


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_each_channel_has_its_scale(axis):
    size = _X.shape[axis]
    scale = np.linspace(0.03, 0.2, size, dtype=np.float32)
    zero_point = np.arange(size, dtype=np.int8) - 2
    x = torch.tensor(_X, requires_grad=True)
    expected = torch.fake_quantize_per_channel_affine(
        x, torch.tensor(scale), torch.tensor(zero_point, dtype=torch.int32), axis % 3, -128, 127
    )
    (expected * torch.tensor(_SEED)).sum().backward()

    def function(x):
        return there_and_back(x, scale, zero_point, axis=axis)

    np.testing.assert_allclose(
        function(Tensor(_X)).numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6
    )
    g = grad(lambda x: (function(x) * _SEED).sum())(Tensor(_X))
    np.testing.assert_allclose(g.numpy(), x.grad.numpy(), rtol=1e-5, atol=1e-6, strict=True)


def test_the_scale_can_be_learned():
    """Esser and others, Learned step size quantization, 2020, equation 3."""
    scale, zero_point = np.array([0.1], np.float32), np.array([3], np.int8)
    learned = torch.tensor(scale, requires_grad=True)
    expected = torch._fake_quantize_learnable_per_tensor_affine(
        torch.tensor(_X), learned, torch.tensor([3.0]), -128, 127, 1.0
    )
    (expected * torch.tensor(_SEED)).sum().backward()
    g = grad(lambda s: (there_and_back(Tensor(_X), s, zero_point) * _SEED).sum())(Tensor(scale))
    np.testing.assert_allclose(g.numpy(), learned.grad.numpy(), rtol=1e-4, strict=True)


@pytest.mark.parametrize("block_size", [2, 3, 4])
def test_a_block_is_a_row_of_its_own(block_size):
    """Blocks along the last axis are channels of what is cut into blocks."""
    x = Tensor(_X[:, :, :4].reshape(3, 16)[:, :12])
    scale = Tensor(_GENERATOR.uniform(0.05, 0.2, (3, 12 // block_size)).astype(np.float32))
    zero_point = np.zeros(scale.shape, np.int8)
    seed = _SEED.reshape(-1)[:36].reshape(3, 12)

    def in_blocks(both):
        y = there_and_back(both[0], both[1], zero_point, axis=1, block_size=block_size)
        return (y * seed).sum()

    def in_rows(both):
        rows = both[0].reshape(-1, block_size)
        flat = zero_point.reshape(-1)
        y = there_and_back(rows, both[1].reshape(-1), flat, axis=0)
        return (y * seed.reshape(-1, block_size)).sum()

    for given, expected in zip(grad(in_blocks)([x, scale]), grad(in_rows)([x, scale]), strict=True):
        np.testing.assert_allclose(given.numpy(), expected.numpy(), rtol=1e-5, strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, ml_dtypes.int4, ml_dtypes.uint2])
def test_integers_saturate(dtype):
    limits = ml_dtypes.iinfo(dtype)
    x = np.array([-1e9, 1e9, np.inf, 0.5, 1.5], np.float32)
    y = apply("QuantizeLinear", x, np.array(1, np.float32), np.array(0, dtype)).numpy()
    assert y.dtype == dtype
    assert y.astype(int).tolist() == [limits.min, limits.max, limits.max, 0, min(2, limits.max)]


def test_dynamic_quantization_goes_straight_through():
    def function(x):
        y, scale, zero_point = apply("DynamicQuantizeLinear", x)
        return apply("DequantizeLinear", y, scale, zero_point)

    y = function(Tensor(_X)).numpy()
    np.testing.assert_allclose(y, _X, atol=0.51 * (_X.max() - _X.min()) / 255)
    g = grad(lambda x: (function(x) * _SEED).sum())(Tensor(_X))
    np.testing.assert_allclose(g.numpy(), _SEED, rtol=1e-5)
