"""Gradient clipping."""

from __future__ import annotations

import functools
import operator
from typing import Any

from trainer.core import tree
from trainer.core.mode import mode
from trainer.core.tensor import Tensor, apply


def clip_by_global_norm(gradients: Any, limit: float) -> Any:
    """Scale all gradients so that their joint norm is at most `limit` (Pascanu et al. 2013).

    Args:
        gradients: A tree of Tensors of one dtype.
        limit: The largest norm.

    Returns:
        A tree of the same form.
    """
    with mode(phase="optimizer"):
        norm = global_norm(gradients)
        scale = apply("Min", limit / (norm + 1e-6), 1.0)
        return tree.map_tree(lambda g: g * scale, gradients)


def global_norm(gradients: Any) -> Tensor:
    """The square root of the sum of all squares."""
    squares = [(g * g).sum() for g in tree.leaves(gradients)]
    return functools.reduce(operator.add, squares).sqrt()
