"""How many positions pools have, and how they sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import oracle
from trainer.core.errors import OperatorError
from trainer.core.tensor import apply
from trainer.ops.window import slide

torch = oracle("torch")

SMALL = st.integers(1, 4)


@pytest.mark.parametrize("ceil_mode", [0, 1])
@settings(deadline=None)
@given(size=st.integers(1, 12), kernel=SMALL, stride=SMALL, dilation=SMALL, data=st.data())
def test_pools_have_as_many_positions_as_in_torch(
    ceil_mode, size, kernel, stride, dilation, data
) -> None:
    pad = data.draw(st.integers(0, kernel // 2))
    if size + 2 * pad < (kernel - 1) * dilation + 1:
        with pytest.raises(OperatorError, match="does not fit an image of"):
            slide([size], [kernel], [stride], [dilation], [pad, pad], "NOTSET", ceil_mode)
        return
    (axis,) = slide([size], [kernel], [stride], [dilation], [pad, pad], "NOTSET", ceil_mode)
    x = torch.zeros(1, 1, size)
    y = torch.nn.functional.max_pool1d(x, kernel, stride, pad, dilation, bool(ceil_mode))
    assert axis.positions == y.shape[2]


@pytest.mark.parametrize("name", ["AveragePool", "LpPool"])
def test_halves_are_summed_in_float32(name: str) -> None:
    x = np.full((1, 1, 4096), 8, np.float16)
    y = apply(name, x, kernel_shape=[4096])
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.numpy(), [[[8 if name == "AveragePool" else 8 * 64]]])
