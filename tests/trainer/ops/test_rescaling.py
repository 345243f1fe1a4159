"""LRN where ONNX Runtime has none: of even size, and of images that are not flat."""

import numpy as np
import pytest

from tests.trainer.ops.case import Case
from tests.trainer.ops.differentiation import check_gradients, function_of
from trainer.core.errors import OperatorError
from trainer.core.tensor import apply

_R = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("size", "shape"), [(2, (1, 5, 2, 2)), (3, (2, 4, 3)), (4, (1, 6, 2, 1, 2))]
)
def test_neighbors_are_those_of_the_definition(size: int, shape: tuple[int, ...]) -> None:
    attrs = {"size": size, "alpha": 0.5, "beta": 0.6, "bias": 1.5}
    x = _R.standard_normal(shape)
    expected = np.empty_like(x)
    for c in range(shape[1]):
        near = x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1]
        expected[:, c] = x[:, c] / (1.5 + 0.5 / size * (near**2).sum(1)) ** 0.6
    np.testing.assert_allclose(apply("LRN", x, **attrs).numpy(), expected, rtol=1e-12)
    check_gradients(*function_of(Case("LRN", (x,), attrs)), order=2)


def test_only_two_norms_are_known() -> None:
    with pytest.raises(OperatorError, match="the norm is 1 or 2, not 3"):
        apply("LpNormalization", np.ones(3, np.float32), p=3)
