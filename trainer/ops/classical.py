"""What models of classical learning end and begin with: probabilities by class, and words of a text."""

from __future__ import annotations

import re

import numpy as np

from trainer.core.define import Array, T, no_gradient, op
from trainer.core.errors import OperatorError


@op("ZipMap", domain="ai.onnx.ml")
def zip_map(X: T, *, classlabels_int64s=None, classlabels_strings=None) -> Array:
    """For each row a dictionary from labels to numbers; the Tensor holds these dictionaries.

    Example:
        >>> rows = np.array([[0.25, 0.75]], np.float32)
        >>> zip_map(rows, classlabels_strings=["no", "yes"]).tolist()
        [{'no': 0.25, 'yes': 0.75}]

    Args:
        X: Numbers [N, C], or [C], which is one row.
        classlabels_int64s: The labels of the columns, where they are integers.
        classlabels_strings: The labels, where they are text.
    """
    labels = classlabels_strings or classlabels_int64s or []
    rows = np.atleast_2d(X)
    if len(labels) != rows.shape[1]:
        raise OperatorError(f"{len(labels)} labels do not fit {rows.shape[1]} columns")
    y = np.empty(len(rows), object)
    y[:] = [dict(zip(labels, row, strict=True)) for row in rows.tolist()]
    return y


@op("Tokenizer", domain="com.microsoft")
def tokenizer(X: T, *, mark, mincharnum, pad_value, separators=None, tokenexp=None) -> T:
    """The words of each text along a new last axis, filled up to the longest.

    ONNX Runtime's own operator, with which scikit-learn's vectorizers are written.

    Example:
        >>> texts = np.array(["a calm sea", "noon"], object)
        >>> tokenizer(texts, mark=0, mincharnum=2, pad_value="#", tokenexp="[a-z]+").tolist()
        [['calm', 'sea'], ['noon', '#']]

    Args:
        X: Texts [C] or [N, C].
        mark: Whether the characters 2 and 3 stand around the words, if there are any in all texts.
        mincharnum: How many characters a word has at least.
        pad_value: What fills rows up.
        separators: Regular expressions of what is between words; one empty one makes each character a
            word. Defaults to none.
        tokenexp: The regular expression of a word, instead. Defaults to none.
    """
    if (separators is None) == (tokenexp is None):
        raise OperatorError("it takes either separators or tokenexp")
    words = [_words(text, separators, tokenexp) for text in X.reshape(-1).tolist()]
    kept = [[word for word in row if len(word) >= mincharnum] for row in words]
    if mark and any(kept):
        kept = [["\x02", *row, "\x03"] for row in kept]
    longest = max(map(len, kept), default=0)
    y = np.full((len(kept), longest), pad_value, object)
    for filled, row in zip(y, kept, strict=True):
        filled[: len(row)] = row
    return y.reshape(*X.shape, longest)


def _words(text: str, separators: list[str] | None, tokenexp: str | None) -> list[str]:
    if tokenexp is not None:
        return [found.group() for found in re.finditer(tokenexp, text)]
    words = [text]
    for separator in separators or ():
        words = [w for word in words for w in (re.split(separator, word) if separator else word)]
    return [word for word in words if word]


no_gradient("ZipMap", "Tokenizer")
