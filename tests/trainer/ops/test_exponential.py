"""How exact the error function and the powers are."""

import numpy as np
import pytest
from scipy import special

from trainer.core.tensor import apply


@pytest.mark.parametrize("shape", [(), (0,), (1,), (65_537,), (3, 20_000)])
def test_error_function_is_exact_to_a_few_units(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(-5, 5, shape).astype(np.float32)
    y = apply("Erf", x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), special.erf(x.astype(np.float64)), rtol=5e-7, atol=0)
    strided = np.asfortranarray(x)
    np.testing.assert_array_equal(apply("Erf", strided).numpy(), y.numpy())


def test_error_function_of_small_and_odd_numbers() -> None:
    x = np.array([1e-30, -1e-8, np.inf, -np.inf, np.nan], np.float32)
    np.testing.assert_allclose(apply("Erf", x).numpy(), special.erf(x), rtol=5e-7)
    assert apply("Erf", np.array([-1e4, -5.0, 5.0, 1e4], np.float32)).tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize("exponent", [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 2.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_of_a_constant_is_the_power(exponent: float, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(0.1, 3, (4, 5)).astype(dtype)
    for shape in ((), (1,), (4, 5)):
        y = apply("Pow", x, np.full(shape, exponent, dtype))
        np.testing.assert_allclose(y.numpy(), np.power(x, exponent), rtol=1e-6, strict=True)
    assert apply("Pow", x[:1, :1], np.full((1, 1, 1), exponent, dtype)).shape == (1, 1, 1)
