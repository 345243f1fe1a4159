"""A large array gives, block by block, what small ones give."""

import numpy as np
import pytest

from trainer.core.tensor import apply

NAMES = [
    *("Erf", "Sigmoid", "HardSigmoid", "HardSwish", "Gelu", "Softplus", "Softsign", "Mish"),
    *("LeakyRelu", "ThresholdedRelu", "Shrink", "Elu", "Celu", "Selu", "Relu"),
]


@pytest.mark.parametrize("name", NAMES)
def test_large_arrays_give_what_their_rows_give(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 131_075)).astype(np.float32)
    x[0, 7] = np.nan
    columns = apply(name, np.asfortranarray(x)).numpy()
    assert columns.shape == x.shape
    for given in (apply(name, x).numpy(), columns):
        for part in (slice(0, 100), slice(65_500, 65_600), slice(130_900, None)):
            wanted = apply(name, x[:, part].copy()).numpy()
            np.testing.assert_allclose(given[:, part], wanted, rtol=1e-6, atol=1e-7)
