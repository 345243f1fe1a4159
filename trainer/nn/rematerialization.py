"""Blocks that are computed twice: memory for activations against time (Chen et al. 2016)."""

from __future__ import annotations

from typing import Any

from trainer import random
from trainer.core.dtypes import is_float
from trainer.core.mode import capturing, current, mode, place
from trainer.core.node import Node, Spec
from trainer.core.op import Op
from trainer.core.tape import walk, watch
from trainer.core.tensor import Array, Tensor, apply, source, wrap
from trainer.nn.module import Module


def recompute(module: Module, *inputs: Tensor) -> Any:
    """Run a Module and forget what happened inside it: the gradient runs it once more.

    Between forward and backward only the inputs are kept (and random draws, so that Dropout drops the
    same values again). Results and gradients are those of `module(*inputs)`.

    Example:
        >>> import numpy as np
        >>> from trainer.nn import Linear, Sequential, Tanh
        >>> block = Sequential(Linear(2, 8), Tanh(), Linear(8, 1))
        >>> y = recompute(block, Tensor(np.ones((3, 2), np.float32)))
        >>> y.sum().backward()
        >>> block.parameters()["layers.2.bias"].grad
        Tensor([3.])

    Args:
        module: A part of the model that makes many values inside, from few: a residual block, a layer
            of a transformer.
        *inputs: What it is given.

    Returns:
        What it returns, a Tensor or a tuple of Tensors.
    """
    weights = module.tree_children()
    given = [*inputs, *weights.values()]
    if not current.get().grad or not any(x.requires_grad for x in given):
        return module(*inputs)
    with random.recorded() as draws, mode(grad=False):
        made = module(*inputs)
    outputs = made if isinstance(made, tuple) else (made,)

    def again(*parts: Tensor) -> tuple[Tensor, ...]:
        before = module.named_tensors()
        module.assign(dict(zip(weights, parts[len(inputs) :], strict=True)))
        try:
            with random.replayed(draws):
                once_more = module(*parts[: len(inputs)])
        finally:
            module.assign(before)  # running statistics have moved in the first run
        return once_more if isinstance(once_more, tuple) else (once_more,)

    node = Node(
        _BLOCK,
        tuple(map(source, (*outputs, *given))),
        (*(Spec(y.shape, y.dtype) for y in outputs), *(x._data for x in given)),
        tuple(Spec(y.shape, y.dtype) for y in outputs),
        {"again": again, "count": len(inputs)},
        line=place() if current.get().places else None,
    )
    results = tuple(wrap(y._data, node, k) for k, y in enumerate(outputs))
    return results if isinstance(made, tuple) else results[0]


def _block(*values: Array) -> tuple[Array, ...]:
    return values


def _block_vjp(
    gradients: Any, results: Any, *inputs: Any, again: Any, count: int
) -> list[Tensor | None]:
    """Run the block with a tape, and go back through that.

    In a graph the second run would be merged with the first, or come long before it is needed; so it
    reads its inputs through an operator that waits for the gradient of the block's outputs.
    """
    further, given = current.get().grad, list(inputs[len(results) :])
    present = [k for k, g in enumerate(gradients) if g is not None]
    if capturing():
        waited = gradients[present[0]]
        given[:count] = [_after(waited, x) for x in given[:count]]
    places = [k for k, x in enumerate(given) if is_float(x.dtype)]
    with mode(grad=True):
        for k in places:
            given[k] = watch(given[k])
        outputs = again(*given)
    seeds = [gradients[k] for k in present]
    asked = [(given[k]._node, given[k]._index) for k in places]
    found = dict(
        zip(places, walk([outputs[k] for k in present], seeds, asked, further), strict=True)
    )
    return [None] * len(results) + [found.get(k) for k in range(len(given))]


def _after(signal: Tensor, x: Tensor) -> Tensor:
    """The same values as `x`, in a graph not before `signal` is there.

    No optimizer of graphs may take this away: it cannot know that both choices are the same, for the one
    that looks has only one number to decide by.
    """
    first = apply("Gather", signal.reshape(-1), 0)
    waited: Tensor = apply("Where", apply("IsNaN", first), x, x)
    return waited


_BLOCK = Op("Recompute", _block)
_BLOCK.differentiate_by(_block_vjp)
_BLOCK.tape_only = True
