"""Choosing bit by bit is choosing."""

import numpy as np
import pytest

from trainer.core.tensor import apply

DTYPES = [np.bool_, np.int8, np.float16, np.float32, np.float64, np.int64, np.complex128]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("condition", "x", "y"),
    [
        ((80, 80), (80, 80), (80, 80)),
        ((80, 80), (), (80,)),
        ((80, 80), (80, 1), ()),
        ((5000,), (2, 1), (5000,)),
        ((1, 5000), (3, 1, 1), (1,)),
    ],
)
def test_where_is_that_of_numpy(
    dtype: type, condition: tuple[int, ...], x: tuple[int, ...], y: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(0)
    c = generator.random(condition) < 0.5
    a, b = (np.asarray(generator.integers(-9, 9, shape)).astype(dtype) for shape in (x, y))
    for given in ((c, a, b), (c[..., ::-1], a, b)):
        wanted = np.where(*given)
        np.testing.assert_array_equal(apply("Where", *given).numpy(), wanted, strict=True)


def test_what_is_not_chosen_does_not_matter() -> None:
    c = np.arange(9000) % 2 == 0
    x = np.where(c, 1.0, np.nan)
    y = np.where(c, np.inf, -0.0)
    assert set(apply("Where", c, x, y).tolist()) == {1.0, 0.0}
