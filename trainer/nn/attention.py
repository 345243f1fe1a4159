"""Multi-head attention and the transformer's encoder layer, made of it."""

from __future__ import annotations

import numpy as np

from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor, apply
from trainer.nn.dropout import Dropout
from trainer.nn.initializer import constant, xavier_uniform
from trainer.nn.linear import Linear
from trainer.nn.module import Module
from trainer.nn.normalization import LayerNorm

# What is added to a score that must not count: exp of it is 0, and a row of nothing else is no NaN.
_NEVER = -1e9


class MultiHeadAttention(Module):
    """Attention in several heads (Vaswani et al. 2017): softmax(q k^T / sqrt(d)) v, batch first.

    Parameters have the names and shapes of PyTorch's `MultiheadAttention`.

    Example:
        >>> layer = MultiHeadAttention(8, 2, causal=True)
        >>> layer(Tensor(np.zeros((3, 5, 8), np.float32))).shape
        (3, 5, 8)

    Args:
        features: The size of the last axis of queries, keys, values and the result.
        heads: Into how many parts the features are divided.
        bias: Whether the projections add numbers. Defaults to True.
        dropout: The probability of a zero among the weights of the values. Defaults to 0.
        causal: Whether a query sees only keys at its own place and before. Defaults to False.

    Attributes:
        in_proj_weight: [3 features, features], for queries, keys and values.
        in_proj_bias: [3 features], or `None`.
        out_proj: The linear layer over all heads.
    """

    def __init__(
        self,
        features: int,
        heads: int,
        bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if features % heads:
            raise ConfigError(
                f"MultiHeadAttention({features}, {heads}): the features must be a multiple of the heads."
            )
        self.features, self.heads, self.causal = features, heads, causal
        self.in_proj_weight = xavier_uniform((3 * features, features))
        self.in_proj_bias = constant((3 * features,), 0.0) if bias else None
        self.out_proj = Linear(features, features, bias)
        if bias:
            self.out_proj.bias = constant((features,), 0.0)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        padding: Tensor | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            query: [batch, time, features].
            key: [batch, source, features]. Defaults to the queries: self-attention.
            value: [batch, source, features]. Defaults to the keys.
            padding: [batch, source], true where a key is not to be seen. Defaults to nowhere.

        Returns:
            [batch, time, features].
        """
        q, k, v = (self._in_heads(part) for part in self._projected(query, key, value))
        scores = (q @ k.transpose(2, 3)) * (self.features // self.heads) ** -0.5
        if self.causal:
            # Made of the scores' shape by operators, so that an exported file takes any length.
            square = apply(
                "Expand", np.full((1, 1), _NEVER, q.dtype), apply("Shape", scores, start=2)
            )
            scores = scores + apply("Trilu", square, 1, upper=1)
        if padding is not None:
            scores = apply("Where", padding.unsqueeze(1).unsqueeze(1), _NEVER, scores)
        mixed = self.dropout(apply("Softmax", scores, axis=-1)) @ v
        batch, time = query.shape[:2]
        y: Tensor = self.out_proj(mixed.permute(0, 2, 1, 3).reshape(batch, time, self.features))
        return y

    def _projected(self, query: Tensor, key: Tensor | None, value: Tensor | None) -> list[Tensor]:
        """Queries, keys and values: in one product where they come from the same Tensor."""
        w, b = self.in_proj_weight, self.in_proj_bias
        if key is None and value is None:
            return _thirds(_affine(query, w, b), -1)
        key = query if key is None else key
        weights = _thirds(w, 0)
        biases = [None] * 3 if b is None else _thirds(b, 0)
        sources = (query, key, key if value is None else value)
        return [_affine(*given) for given in zip(sources, weights, biases, strict=True)]

    def _in_heads(self, x: Tensor) -> Tensor:
        """[batch, time, features] to [batch, heads, time, features / heads]."""
        batch, time, features = x.shape
        return x.reshape(batch, time, self.heads, features // self.heads).transpose(1, 2)


class TransformerEncoderLayer(Module):
    """Self-attention and two linear layers, each added to its input (Vaswani et al. 2017), batch first.

    Parameters have the names and shapes of PyTorch's layer of this name.

    Example:
        >>> TransformerEncoderLayer(8, 2, 16)(Tensor(np.zeros((3, 5, 8), np.float32))).shape
        (3, 5, 8)

    Args:
        features: The size of the last axis.
        heads: Into how many parts the features are divided.
        hidden: The size between the two linear layers. Defaults to 2048.
        dropout: The probability of a zero, in attention and in both sums. Defaults to 0.1.
        norm_first: Whether normalization comes before each part, not after each sum. Defaults to False.
        causal: Whether a place sees only itself and what is before. Defaults to False.
    """

    def __init__(
        self,
        features: int,
        heads: int,
        hidden: int = 2048,
        dropout: float = 0.1,
        norm_first: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.self_attn = MultiHeadAttention(features, heads, dropout=dropout, causal=causal)
        self.linear1, self.linear2 = Linear(features, hidden), Linear(hidden, features)
        self.norm1, self.norm2 = LayerNorm(features), LayerNorm(features)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """Map [batch, time, features] to the same shape; `padding` as in `MultiHeadAttention`."""
        if self.norm_first:
            x = x + self._attended(self.norm1(x), padding)
            return x + self._fed_forward(self.norm2(x))
        x = self.norm1(x + self._attended(x, padding))
        y: Tensor = self.norm2(x + self._fed_forward(x))
        return y

    def _attended(self, x: Tensor, padding: Tensor | None) -> Tensor:
        y: Tensor = self.dropout(self.self_attn(x, padding=padding))
        return y

    def _fed_forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(self.linear2(self.dropout(self.linear1(x).relu())))
        return y


def _affine(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    y = x @ w.T
    return y if b is None else y + b


def _thirds(x: Tensor, axis: int) -> list[Tensor]:
    return list(apply("Split", x, axis=axis, num_outputs=3))
