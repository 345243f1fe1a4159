"""Half precision rounds once, and infinities are results rather than warnings."""

import ml_dtypes
import numpy as np
import pytest

from trainer.core.tensor import apply

SMOOTH = [
    *("Exp", "Erf", "Sigmoid", "Tanh", "Gelu", "Softplus", "Softsign", "Mish", "HardSwish"),
    *("HardSigmoid", "Elu", "Celu", "Selu", "LeakyRelu", "Relu", "Sin", "Cos", "Atan", "Asinh"),
    *("Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Softmax", "LogSoftmax"),
    *("ReduceSum", "ReduceMean", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceProd"),
]


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_half_precision_is_the_float64_result_rounded(name: str, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (4, 8)).astype(dtype)
    y = apply(name, x)
    assert y.dtype == dtype
    wanted = apply(name, x.astype(np.float64)).numpy()
    unit = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(
        y.numpy().astype(np.float64), wanted, rtol=unit, atol=float(ml_dtypes.finfo(dtype).tiny)
    )


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("Exp", 1e4),
        ("Log", 0.0),
        ("Log", -1.0),
        ("Sqrt", -1.0),
        ("Sigmoid", -1e4),
        ("Sinh", 1e4),
        ("Asin", 2.0),
        ("Acosh", 0.0),
        ("Atanh", 1.0),
        ("Sin", np.inf),
        ("Gelu", 1e30),
        ("Softplus", -1e30),
        ("Mish", -1e30),
        ("Elu", 1e30),
        ("ReduceLogSum", 0.0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_warning_where_others_give_none(name: str, x: float, dtype: type) -> None:
    """Warnings are errors in this project."""
    assert apply(name, np.full(3, x, dtype)).dtype == dtype
