"""A request that runs, in the form of each protocol, from an example that a model was tried with."""

from __future__ import annotations

from typing import Any

import numpy as np

from serve.batching import batch_symbol
from serve.protocols.tfserving_tensors import write_columns, write_rows
from serve.servable import Feeds, Servable
from serve.signature import Signature
from serve.tensors import TensorSpec, to_json

# With more elements it is nothing that a page can show or anybody reads.
MOST = 5_000


def sample(servable: Servable) -> Feeds | None:
    """Inputs that a model takes; None where JSON cannot hold them, or they are too many to show."""
    feeds = servable.example
    if feeds is None:  # it says too little about its inputs: the simplest ones, then
        needed = [spec for spec in servable.signature.inputs if not spec.optional]
        if any(spec.element is None for spec in needed):
            return None
        feeds = {spec.name: _zeros(spec) for spec in needed}
    specs = servable.signature.input
    shown = sum(array.size for array in feeds.values()) <= MOST
    if not shown or any(not _has_json(specs[name], array) for name, array in feeds.items()):
        return None
    return feeds


def tfserving(feeds: Feeds, signature: Signature) -> dict[str, Any]:
    """The body of a predict request: rows where all inputs and outputs have them, else columns."""
    if batch_symbol(signature):
        return {"instances": write_rows(feeds)}
    return {"inputs": write_columns(feeds)}


def features(feeds: Feeds) -> dict[str, Any]:
    """The body of a request to classify or regress."""
    rows = min((len(array) for array in feeds.values() if array.ndim), default=1)
    return {
        "examples": [
            {name: to_json(np.atleast_1d(array)[row].reshape(-1)) for name, array in feeds.items()}
            for row in range(rows)
        ]
    }


def v2(feeds: Feeds, signature: Signature) -> dict[str, Any]:
    """The body of an infer request."""
    tensors = []
    for name, array in feeds.items():
        element = signature.input[name].element
        assert element is not None
        data = to_json(array.reshape(-1))
        tensors.append({"name": name, "shape": array.shape, "datatype": element.v2, "data": data})
    return {"inputs": tensors}


def _zeros(spec: TensorSpec) -> np.ndarray[Any, Any]:
    assert spec.element is not None
    shape = [size if isinstance(size, int) else 1 for size in spec.shape or ()]
    return np.full(shape, "" if spec.element.onnx == "string" else 0, spec.element.dtype)


def _has_json(spec: TensorSpec, array: np.ndarray[Any, Any]) -> bool:
    if spec.element is None or not spec.element.has_json:
        return False
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
