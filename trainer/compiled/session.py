"""A graph in ONNX Runtime: the session, and memory that it reads and writes in place."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnxruntime

from trainer.compiled.passes import optimize
from trainer.core.errors import CaptureError
from trainer.core.graph import Graph
from trainer.core.mode import location
from trainer.core.proto import to_model
from trainer.core.tensor import Array

onnxruntime.disable_telemetry_events()

_ALIGNMENT = 64  # bytes: a line of the cache, and what vector instructions like best


def session(graph: Graph) -> Any:
    """A session that runs the graph on the CPU, after all passes.

    Raises:
        CaptureError: ONNX Runtime cannot run it; the message names the line of the user's code that
            the operator comes from.
    """
    optimized = optimize(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            to_model(optimized).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # what the runtime raises has no base class of its own
        raise CaptureError(_explained(optimized, str(error))) from error


def aligned(array: Array) -> Array:
    """A copy in memory of its own, which starts where the processor likes it."""
    memory = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def bound(array: Array) -> Any:
    """An OrtValue in the memory of an array."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def _explained(graph: Graph, message: str) -> str:
    """ONNX Runtime's complaint with the line of the operator that it names."""
    number = re.search(r"name:? ?'?([A-Za-z]+)_(\d+)", message)
    place = ""
    if number is not None and int(number[2]) < len(graph.equations):
        place = f"{location(graph.equations[int(number[2])].line)}: "
    reason = " ".join(message.split()).rstrip(".")
    return f"{place}ONNX Runtime cannot run this graph: {reason}. It can be run eagerly."
