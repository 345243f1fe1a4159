"""A graph in ONNX Runtime: the session, and memory that it reads and writes in place."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
import onnxruntime

from trainer.compiled.device import CPU, Device
from trainer.compiled.profiler import watching
from trainer.core.errors import CaptureError, OperatorError, TapelineError
from trainer.core.graph import Graph
from trainer.core.mode import location
from trainer.core.proto import to_model
from trainer.core.tensor import Array

onnxruntime.disable_telemetry_events()

_LOSSY = ["MatMulScaleFusion"]  # it keeps factors of float64 products as float32
_SMALL = 4096  # elements: where no array has more, a second thread costs more than it does
_MUCH = 128 << 20  # bytes
_ALIGNMENT = 64  # bytes: a line of the cache, and what vector instructions like best


def session(graph: Graph, timed: bool = False, device: Device = CPU) -> Any:
    """A session that runs an optimized graph.

    Args:
        graph: What it runs.
        timed: Whether a profile, where one is taken, covers it. Defaults to False.
        device: Where it runs. Defaults to the CPU.

    Raises:
        ConfigError: The device cannot be used.
        CaptureError: ONNX Runtime cannot run it; the message names the line of the user's code that
            the operator comes from.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # A plan of a run's memory is one block beside what the first run took: a fifth faster on small graphs,
    # no faster on large ones, whose memory it nearly doubles.
    options.enable_mem_pattern = _written(graph) < _MUCH
    if _is_small(graph):
        options.intra_op_num_threads = 1
    watch = watching.get() if timed else None
    if watch is not None:
        watch.prepare(options)
    try:
        made = onnxruntime.InferenceSession(
            to_model(graph).SerializeToString(),
            options,
            providers=_providers(device),
            disabled_optimizers=_LOSSY if _multiplies_float64(graph) else None,
        )
    except Exception as error:  # what the runtime raises has no base class of its own
        raise failure(graph, error) from error
    device.check(made)
    if watch is not None:
        watch.add(made, graph)
    return made


def _providers(device: Device) -> list[Any]:
    """The device's, and the CPU's for operators that it has no kernel for."""
    own = [(device.provider, dict(device.options))] if device.provider != CPU.provider else []
    return [*own, CPU.provider]


def _is_small(graph: Graph) -> bool:
    shapes = [v.sizes for v in (*graph.inputs, *graph.outputs, *graph.known.values())]
    shapes += [array.shape for array in graph.constants.values()]
    return all(shape is not None and prod(shape) <= _SMALL for shape in shapes)


def _written(graph: Graph) -> int:
    """The bytes of all that a run computes, where sizes are known."""
    values = graph.known.values()
    return sum(prod(v.sizes) * v.dtype.itemsize for v in values if v.sizes is not None)


def _multiplies_float64(graph: Graph) -> bool:
    dtypes = {name: value.dtype for name, value in graph.known.items()}
    dtypes |= {name: array.dtype for name, array in graph.constants.items()}
    products = [name for e in graph.equations if e.op == "MatMul" for name in e.inputs + e.outputs]
    return any(dtypes.get(name) == np.float64 for name in products)


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


def placed(array: Array, device: Device) -> Any:
    """An OrtValue with the array's values in the memory of a device."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array, device.name, 0)


def failure(graph: Graph, error: Exception) -> TapelineError:
    """ONNX Runtime's complaint about a graph, or a run of it, with the line of the operator it names."""
    message = " ".join(str(error).split()).rstrip(".")
    makers = {name: equation for equation in graph.equations for name in equation.outputs}
    named = [makers[word] for word in re.findall(r"[\w.]+", message) if word in makers]
    place = f"{location(named[0].line)}: " if named else ""
    stopped = re.search(r"running (\w+) node.* Status Message: (.*)", message)
    if stopped is not None and "not support" not in message:
        return OperatorError(f"{place}{stopped[1]} in ONNX Runtime: {stopped[2]}.")
    return CaptureError(
        f"{place}ONNX Runtime cannot run this graph: {message}. It can be run eagerly."
    )
