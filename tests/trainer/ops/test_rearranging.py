"""Blocks and sequences against loops."""

import numpy as np
import pytest

from tests.trainer.ops.test_slicing import is_adjoint, whole
from trainer.core.tensor import Tensor, apply


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_space_to_depth_undoes_depth_to_space(mode):
    x = whole((2, 12, 3, 2))

    def spread(x):
        return apply("DepthToSpace", x, blocksize=2, mode=mode)

    def packed(x):
        return apply("SpaceToDepth", x, blocksize=2, mode=mode)

    np.testing.assert_array_equal(packed(spread(Tensor(x))).numpy(), x, strict=True)
    assert is_adjoint(spread, x)
    assert is_adjoint(packed, whole((2, 3, 4, 6)))


@pytest.mark.parametrize(("batch_axis", "time_axis"), [(1, 0), (0, 1)])
def test_sequences_are_reversed_one_by_one(batch_axis, time_axis):
    x = whole((4, 4, 2))
    lengths = np.array([0, 1, 3, 4])

    def function(x):
        return apply("ReverseSequence", x, lengths, batch_axis=batch_axis, time_axis=time_axis)

    expected = np.moveaxis(x, batch_axis, 0).copy()
    for sequence, length in zip(expected, lengths, strict=True):
        sequence[:length] = sequence[:length][::-1].copy()
    np.testing.assert_array_equal(
        function(Tensor(x)).numpy(), np.moveaxis(expected, 0, batch_axis), strict=True
    )
    assert is_adjoint(function, x)
