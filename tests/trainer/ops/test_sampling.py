"""Sampling where the case tables do not reach: the identity, far outside, single pixels."""

import numpy as np
import pytest

from trainer.core.tensor import Tensor, apply

_X = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_the_identity_samples_the_image_itself(mode, align_corners):
    identity = np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1))
    grid = apply("AffineGrid", identity, _X.shape, align_corners=align_corners)
    for padding in ("zeros", "border", "reflection"):
        y = apply(
            "GridSample", _X, grid, mode=mode, padding_mode=padding, align_corners=align_corners
        )
        np.testing.assert_allclose(y.numpy(), _X, atol=1e-5)


def test_the_names_before_opset_20_are_understood():
    grid = np.random.default_rng(1).uniform(-1, 1, (2, 3, 3, 2)).astype(np.float32)
    for old, new in (("bilinear", "linear"), ("bicubic", "cubic")):
        before = apply("GridSample", _X, grid, mode=old).numpy()
        np.testing.assert_array_equal(before, apply("GridSample", _X, grid, mode=new).numpy())


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("padding", ["border", "reflection"])
def test_a_single_pixel_is_seen_from_far_away(padding, align_corners):
    pixel = np.full((1, 1, 1, 1), 7, np.float32)
    grid = np.array([[[[900.0, -900.0]]]], np.float32)
    y = apply("GridSample", pixel, grid, padding_mode=padding, align_corners=align_corners)
    assert y.tolist() == [[[[7.0]]]]


def test_gradient_asks_only_for_what_is_needed():
    x = Tensor(_X, requires_grad=True)
    grid = Tensor(np.zeros((2, 1, 1, 2), np.float32))
    apply("GridSample", x, grid).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy().sum(), 6.0, rtol=1e-6)
    assert grid.grad is None
