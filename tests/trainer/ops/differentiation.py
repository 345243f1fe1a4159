"""Gradients of any function of Tensors, and central differences to hold them against."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.trainer.ops.case import Case
from trainer.core.dtypes import is_float
from trainer.core.tape import walk, watch
from trainer.core.tensor import Tensor, apply, wrap

Function = Callable[..., list[Tensor]]

STEP = 1e-6
TOLERANCE = 1e-6


def forward(case: Case) -> list[Tensor]:
    """The outputs of a case."""
    result = apply(case.op, *[constant(x) for x in case.inputs], **case.attrs)
    return list(result) if isinstance(result, tuple) else [result]


def function_of(case: Case) -> tuple[Function, list[Tensor]]:
    """A case as a function of the inputs it is differentiated by, and their values."""
    places = case.differentiated()
    inputs = [constant(x) for x in case.inputs]

    def function(*given: Tensor) -> list[Tensor]:
        full = list(inputs)
        for place, x in zip(places, given, strict=True):
            full[place] = x
        result = apply(case.op, *full, **case.attrs)
        results = result if isinstance(result, tuple) else (result,)
        return [y for y in results if is_float(y.dtype)]

    return function, [inputs[place] for place in places]


def constant(x: Any) -> Tensor | None:
    """An input as a Tensor of an array that nobody may write to."""
    if x is None:
        return None
    array = np.asarray(x).view()
    array.flags.writeable = False
    return wrap(array)


def pull_back(
    function: Function, inputs: Sequence[Tensor], seeds: Sequence[Tensor]
) -> list[Tensor | None]:
    """The product of `seeds`, one per output, with the Jacobian, per input; absent is zero."""
    watched = [watch(x) for x in inputs]
    links = [(x._node, 0) for x in watched if x._node is not None]
    return walk(function(*watched), list(seeds), links, record=True)


def check_gradients(
    function: Function, inputs: Sequence[Tensor], order: int, seed: int = 0
) -> None:
    """Compare derivatives up to `order` with central differences along random directions.

    The derivative is itself a function of the inputs and the seeds, written in operators; so the next
    order is the same check of that function, as in `autograd.test_util.check_grads`.

    Args:
        function: From Tensors to a list of Tensors.
        inputs: Where, in float64.
        order: How often to differentiate.
        seed: Of the random directions.
    """
    generator = np.random.default_rng(seed)
    seeds = [_random(y, generator) for y in function(*inputs)]
    gradients = pull_back(function, inputs, seeds)
    for i, (x, g) in enumerate(zip(inputs, gradients, strict=True)):
        direction = _random(x, generator)
        ahead, behind = (
            _dot(
                function(*inputs[:i], _moved(x, step, direction), *inputs[i + 1 :]),
                seeds,
            )
            for step in (STEP, -STEP)
        )
        measured = (ahead - behind) / (2 * STEP)
        computed = 0.0 if g is None else _dot([g], [direction])
        assert g is None or (g.shape, g.dtype) == (x.shape, x.dtype)
        assert abs(measured - computed) <= TOLERANCE * (1 + abs(measured)), (
            f"input {i}: the gradient rule says {computed}, differences say {measured}"
        )
    present = [i for i, g in enumerate(gradients) if g is not None]
    if order > 1 and present:
        count = len(inputs)

        def derivative(*given: Tensor) -> list[Tensor]:
            made = pull_back(function, given[:count], given[count:])
            return [g for g in (made[i] for i in present) if g is not None]

        check_gradients(derivative, [*inputs, *seeds], order - 1, seed + 1)


def _moved(x: Tensor, step: float, direction: Tensor) -> Tensor:
    return wrap(np.asarray(x._data + step * direction._data))


def _random(x: Tensor, generator: np.random.Generator) -> Tensor:
    return wrap(np.asarray(generator.standard_normal(x.shape), x.dtype))


def _dot(values: list[Tensor], directions: list[Tensor]) -> float:
    return sum(float(np.vdot(y._data, v._data)) for y, v in zip(values, directions, strict=True))
