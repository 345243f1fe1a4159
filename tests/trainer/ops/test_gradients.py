"""Every gradient rule against central differences, its own derivative included."""

import numpy as np
import pytest

from tests.trainer.ops.case import Case, all_cases, ids, operators
from tests.trainer.ops.differentiation import check_gradients, forward, function_of

CASES = all_cases()
SMOOTH = [case for case in CASES if case.order and not case.kinks]

# Their gradient is no derivative: it goes straight through the rounding. See test_quantization.py.
STRAIGHT_THROUGH = {"QuantizeLinear", "DynamicQuantizeLinear"}


@pytest.mark.parametrize("case", SMOOTH, ids=ids(SMOOTH))
def test_gradient_is_what_differences_say(case: Case) -> None:
    function, inputs = function_of(case)
    check_gradients(function, inputs, case.order)


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_strided_inputs_give_the_same(case: Case) -> None:
    strided = case._replace(inputs=tuple(map(scattered_in_memory, case.inputs)))
    for y, wanted in zip(forward(strided), forward(case), strict=True):
        assert y.dtype == wanted.dtype
        if y.dtype.kind == "f":
            np.testing.assert_allclose(y.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(y.numpy(), wanted.numpy())


def scattered_in_memory(x: np.ndarray | None) -> np.ndarray | None:
    if x is None or not x.ndim:
        return x
    return np.asfortranarray(np.repeat(x, 2, axis=-1))[..., ::2]


def test_every_rule_has_a_case_of_order_two() -> None:
    tried = {case.op for case in SMOOTH if case.order >= 2} | STRAIGHT_THROUGH
    missing = [op.name for op in operators() if op.rule is not None and op.name not in tried]
    assert not missing


def test_every_kernel_has_a_rule_or_is_constant_by_nature() -> None:
    undecided = [op.name for op in operators() if op.rule is None and op.differentiable]
    assert not undecided
