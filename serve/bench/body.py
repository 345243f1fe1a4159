"""Bodies of requests with random values, of the types and shapes that a server says a model takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serve.errors import BenchError

Array = np.ndarray[Any, Any]

_SEED = 0  # the same request in every run
_V2 = {
    "FP16": "float16", "FP32": "float32", "FP64": "float64", "BOOL": "bool", "BYTES": "str",
    **{f"{'U' * u}INT{bits}": f"{'u' * u}int{bits}" for u in (0, 1) for bits in (8, 16, 32, 64)},
}  # fmt: skip
_TFS = {
    "DT_HALF": "float16", "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_BOOL": "bool",
    "DT_STRING": "str",
    **{f"DT_{'U' * u}INT{bits}": f"{'u' * u}int{bits}" for u in (0, 1) for bits in (8, 16, 32, 64)},
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """A body, what its head must say of it, and what it holds in words."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


def given(content: bytes) -> Body:
    """A body from a file."""
    is_json = content.lstrip()[:1] in (b"{", b"[")
    kind = "application/json" if is_json else "application/octet-stream"
    return Body(content, {"Content-Type": kind}, "the given body")


def examples(signature: Mapping[str, Mapping[str, Any]]) -> Body:
    """A predict request of TensorFlow Serving's API: a row, where all inputs and outputs have rows.

    Args:
        signature: With its "inputs" and "outputs", as the server's metadata have them.
    """
    arrays = {}
    for name, spec in signature["inputs"].items():
        arrays[name] = _random(name, _TFS.get(spec["dtype"]), spec["dtype"], _shape(spec))
    every = (*signature["inputs"].values(), *signature.get("outputs", {}).values())
    rows = all(_shape(spec)[:1] == [-1] for spec in every)
    content: dict[str, Any] = {"inputs": {n: array.tolist() for n, array in arrays.items()}}
    if rows:
        row = {name: array.tolist()[0] for name, array in arrays.items()}
        content = {"instances": [row if len(row) > 1 else next(iter(row.values()))]}
    return Body(_json(content), {"Content-Type": "application/json"}, _summary(arrays, "JSON"))


def tensors(inputs: Sequence[Mapping[str, Any]], binary: bool) -> Body:
    """A request of the Open Inference Protocol.

    Args:
        inputs: As the model's metadata have them.
        binary: Whether the server takes tensors as bytes behind the JSON.
    """
    arrays, entries, parts = {}, [], []
    for spec in inputs:
        name, datatype = spec["name"], spec["datatype"]
        array = _random(name, _V2.get(datatype), datatype, spec["shape"])
        arrays[name] = array
        entry = {"name": name, "shape": array.shape, "datatype": datatype}
        if binary:
            parts.append(_bytes(array))
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = array.ravel().tolist()
        entries.append(entry)
    content: dict[str, Any] = {"inputs": entries}
    if not binary:
        head = {"Content-Type": "application/json"}
        return Body(_json(content), head, _summary(arrays, "JSON"))
    content["parameters"] = {"binary_data_output": True}
    text = _json(content)
    head = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(text)),
    }
    return Body(text + b"".join(parts), head, _summary(arrays, "binary"))


def _shape(spec: Mapping[str, Any]) -> list[int]:
    return [int(dim["size"]) for dim in spec["tensor_shape"].get("dim", ())]


def _random(name: str, dtype: str | None, given: str, shape: Sequence[int]) -> Array:
    """Harmless values: numbers from 0 to 1, whole ones 0 or 1; a free size is 1."""
    if dtype is None:
        raise BenchError(f"Input {name!r} is {given}: give a request with --body FILE.")
    sizes = [max(1, int(size)) if int(size) != 0 else 0 for size in shape]
    random = np.random.default_rng(_SEED)
    if dtype == "str":
        return np.full(sizes, "a", object)
    if dtype.startswith("float"):
        return random.random(sizes, np.float32).astype(dtype)
    return random.integers(0, 2, sizes).astype(dtype)


def _bytes(array: Array) -> bytes:
    if array.dtype != object:
        return array.tobytes()
    values = [str(value).encode() for value in array.flat]
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _summary(arrays: Mapping[str, Array], form: str) -> str:
    shown = (f"{name} {list(array.shape)}" for name, array in arrays.items())
    return f"random {', '.join(shown)} as {form}"
