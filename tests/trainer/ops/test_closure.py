"""Gradient rules are made of operators that have gradient rules, so every order of derivative exists."""

import numpy as np
import pytest

from tests.trainer.ops.case import Case, all_cases, ids
from tests.trainer.ops.differentiation import function_of, pull_back
from trainer.core.mode import mode
from trainer.core.node import Node
from trainer.core.op import find
from trainer.core.tensor import Tensor, wrap

CASES = [case for case in all_cases() if case.order]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_rule_emits_operators_with_rules(case: Case) -> None:
    """While capturing, so that a rule that reads the values of a Tensor is refused, too."""
    function, inputs = function_of(case)
    with mode(capture=True):
        seeds = [wrap(np.ones(y.shape, y.dtype), Node(tracked=False)) for y in function(*inputs)]
        gradients = pull_back(function, inputs, seeds)
    emitted = operators_behind([g for g in gradients if g is not None])
    stuck = [name for name in emitted if find(name).rule is None and find(name).differentiable]
    assert not stuck


def operators_behind(results: list[Tensor]) -> set[str]:
    """The names of the operators that the results were computed with."""
    stack = [y._node for y in results if y._node is not None]
    seen = set(stack)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent[0] not in seen:
                seen.add(parent[0])
                stack.append(parent[0])
    return {node.op.name for node in seen if node.op is not None}
