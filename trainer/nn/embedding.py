"""A learned vector for each of a number of tokens."""

from __future__ import annotations

import numpy as np

from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor, apply
from trainer.nn.initializer import normal
from trainer.nn.module import Module


class Embedding(Module):
    """Whole numbers to vectors: a table whose rows are learned.

    Example:
        >>> Embedding(10, 4)(Tensor(np.array([[1, 2, 9]]))).shape
        (1, 3, 4)

    Args:
        count: The number of tokens, called num_embeddings in PyTorch.
        features: The length of a vector, called embedding_dim in PyTorch.
        padding_idx: A token whose vector starts as zeros and is not trained. Defaults to none.

    Attributes:
        weight: [count, features], drawn from the normal distribution as in PyTorch.
    """

    def __init__(self, count: int, features: int, padding_idx: int | None = None) -> None:
        super().__init__()
        if padding_idx is not None and not -count <= padding_idx < count:
            raise ConfigError(
                f"Embedding({count}, {features}, padding_idx={padding_idx}): there are tokens from 0 "
                f"to {count - 1}."
            )
        self.padding_idx = None if padding_idx is None else padding_idx % count
        self.weight = normal((count, features), zero_row=self.padding_idx)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map whole numbers [...] to [..., features]."""
        rows: Tensor = apply("Gather", self.weight, tokens)
        if self.padding_idx is None or not self.training:
            return rows
        # Tokens of another dtype are compared with a number of theirs; the detached rows have no gradient.
        padding = (tokens == np.asarray(self.padding_idx, tokens.dtype)).unsqueeze(-1)
        return apply("Where", padding, rows.detach(), rows)

    def extra_repr(self) -> str:
        """The sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}{padding}"
