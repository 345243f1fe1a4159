"""What pools do at their edges: padding, ties, NaN, and places to put things back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import oracle
from trainer.compiled.function import compile
from trainer.core.errors import OperatorError
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply

torch = oracle("torch")

SMALL = st.integers(1, 4)


def test_a_maximum_is_found_in_the_image_even_where_all_of_it_is_minus_infinity() -> None:
    x = np.full((1, 2, 3), -np.inf, np.float32)
    y, places = apply("MaxPool", x, kernel_shape=[3], pads=[1, 1], outputs=2)
    np.testing.assert_array_equal(y.numpy(), x)
    np.testing.assert_array_equal(places.numpy(), [[[0, 0, 1], [3, 3, 4]]])


@pytest.mark.parametrize("outputs", [1, 2])
def test_nan_wins(outputs: int) -> None:
    x = np.array([[[1, np.nan, 2, 3, 5, 4]]], np.float32)
    found = apply("MaxPool", x, kernel_shape=[2], strides=[2], outputs=outputs)
    y = found if outputs == 1 else found[0]
    np.testing.assert_array_equal(y.numpy(), [[[np.nan, 3, 5]]])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
def test_ties_are_found_where_torch_finds_them(seed, stride, dilation, pad) -> None:
    x = np.random.default_rng(seed).integers(0, 3, (2, 2, 7, 6)).astype(np.float32)
    y, places = apply(
        "MaxPool",
        x,
        kernel_shape=[3, 2],
        strides=[stride, 2],
        dilations=[dilation, 1],
        pads=[pad, pad, pad, pad],
        outputs=2,
    )
    expected, inside = torch.nn.functional.max_pool2d(
        torch.tensor(x), (3, 2), (stride, 2), pad, (dilation, 1), return_indices=True
    )
    np.testing.assert_array_equal(y.numpy(), expected)
    images = np.arange(4).reshape(2, 2, 1, 1) * 42  # torch counts within each image
    np.testing.assert_array_equal(places.numpy(), inside.numpy() + images)


def test_storage_order_counts_the_first_axis_fastest_and_leaves_the_gradient_as_it_is() -> None:
    x = Tensor(np.arange(12.0, dtype=np.float32).reshape(1, 1, 3, 4))
    attrs = {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 1}
    _, places = apply("MaxPool", x, **attrs, outputs=2)
    np.testing.assert_array_equal(places.numpy(), [[[[1 + 1 * 3, 1 + 3 * 3]]]])
    wanted = np.zeros((1, 1, 3, 4))
    wanted[..., 1, [1, 3]] = 1
    for strides in ([2, 2], [1, 2]):  # side by side, and over one another
        attrs["strides"] = strides
        g = grad(lambda x: apply("MaxPool", x, **attrs).sum())(x)
        np.testing.assert_array_equal(g.numpy(), wanted)
        wanted[..., 2, [1, 3]] = 1


def test_unpooling_puts_everything_back() -> None:
    x = np.random.default_rng(0).permutation(48).reshape(2, 2, 3, 4).astype(np.float32)
    window = {"kernel_shape": [1, 2], "strides": [1, 2]}
    y, places = apply("MaxPool", x, **window, outputs=2)
    back = apply("MaxUnpool", y, places, **window).numpy()
    largest = x == np.repeat(y.numpy(), 2, axis=3)
    np.testing.assert_array_equal(back, np.where(largest, x, 0))


def test_unpooling_into_a_larger_image_leaves_zeros_behind() -> None:
    x, places = np.array([[[1, 2]]], np.float32), np.array([[[1, 2]]])
    window = {"kernel_shape": [2], "strides": [2]}
    y = apply("MaxUnpool", x, places, np.array([1, 1, 6]), **window)
    np.testing.assert_array_equal(y.numpy(), [[[0, 1, 2, 0, 0, 0]]])
    with pytest.raises(OperatorError, match=r"output_shape \[1, 1, 3\] is less than \[1, 1, 4\]"):
        apply("MaxUnpool", x, places, np.array([1, 1, 3]), **window)


def test_compiled_ties_go_where_torch_puts_them() -> None:
    generator = np.random.default_rng(0)
    x = generator.integers(-2, 2, (3, 2, 6, 8)).astype(np.float32)
    weights = generator.standard_normal((3, 2, 3, 4)).astype(np.float32)
    image = torch.tensor(x, requires_grad=True)
    (torch.nn.functional.max_pool2d(image, 2) * torch.tensor(weights)).sum().backward()

    def loss(x: Tensor, weights: Tensor) -> Tensor:
        y = apply("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        return (y * weights).sum()

    compiled = compile(
        lambda x, weights: grad(loss)(x, weights), dynamic={"x": {0: "n"}, "weights": {0: "n"}}
    )
    for rows in (3, 2):
        found = compiled(Tensor(x[:rows]), Tensor(weights[:rows]))
        np.testing.assert_array_equal(found.numpy(), image.grad.numpy()[:rows])
