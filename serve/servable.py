"""One version of a model, loaded: an ONNX Runtime session, checked, warmed up and measured."""

from __future__ import annotations

import ctypes
import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from serve import golden
from serve.batching import Batching
from serve.counts import Counts
from serve.errors import InvalidArgument, LoadError, RunFailed, Unavailable
from serve.executions import Executions, rows_in
from serve.manifest import Manifest
from serve.models_config import CUDA_OPTIONS, Device, SessionOptions
from serve.signature import Signature
from serve.source import MODEL
from serve.tensors import TensorSpec

# A model that answers within this many seconds gains nothing from several threads, nor from
# being run beside the event loop: handing it over costs as much.
QUICK = 1e-3

_BFLOAT16 = 16  # ONNX's number for it
_FATAL = 4  # what ONNX Runtime may print by itself; all else comes as an exception
_NO_MEMORY = re.compile("Failed to allocate memory|bad_alloc")
_PREFIX = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")

logger = logging.getLogger("serve")
onnxruntime.disable_telemetry_events()

Feeds = Mapping[str, np.ndarray[Any, Any]]


class Run:
    """One run of a model, which can be ended from outside."""

    __slots__ = ("cancelled", "options")

    def __init__(self) -> None:
        self.options = onnxruntime.RunOptions()
        self.options.log_severity_level = _FATAL
        self.cancelled = False

    def cancel(self) -> None:
        """End the run at its next operator; the session stays usable."""
        self.cancelled = True
        self.options.terminate = True


@dataclass(frozen=True, slots=True)
class Loading:
    """How a version came to be: where from, in how many seconds, and how many more warming it up took."""

    path: Path
    seconds: float
    warming: float


class Servable:
    """A session with what is known about it.

    Attributes:
        signature: Its inputs and outputs.
        threads: How many threads compute one run.
        seconds: How long one example took when it was loaded; infinite where that is unknown.
        executions: How often it was run for somebody.
        counts: What became of the requests to it.
        loading: How it was loaded; None where nobody took the time.
        example: Inputs that it was tried with; None where nothing is known that it takes.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        signature: Signature,
        threads: int,
        seconds: float = math.inf,
    ) -> None:
        self.signature = signature
        self.threads = threads
        self.seconds = seconds
        self.executions = Executions()
        self.counts = Counts()
        self.batching: Batching | None = None
        self.loading: Loading | None = None
        self.example: Feeds | None = None
        self._session = session
        # Without the Python around it, where there is such a thing: inputs are checked already, and
        # nothing is to go from CUDA to the CPU unasked.
        self._compute = getattr(session, "_sess", session).run
        self._names = [spec.name for spec in signature.outputs]
        self._bits = {
            spec.name
            for spec in (*signature.inputs, *signature.outputs)
            if spec.element is not None and not spec.element.has_json
        }

    def run(
        self, feeds: Feeds, names: Sequence[str] | None = None, run: Run | None = None
    ) -> dict[str, Any]:
        """Compute outputs by name: arrays, or lists where the model gives sequences.

        Args:
            feeds: Inputs by name, checked against the signature.
            names: The outputs to compute. Defaults to all.
            run: Lets someone else end this run.

        Raises:
            RunFailed: The model cannot take these inputs.
            Unavailable: The run was ended from outside.
        """
        names = self._names if names is None else names
        start = time.perf_counter_ns()
        try:
            compute = self._run_bits if self._bits else self._compute
            values = compute(names, feeds, None if run is None else run.options)
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            if run is not None and run.cancelled:
                raise Unavailable("The run was ended.") from error
            raise RunFailed(_sentence(error)) from error
        self.executions.add(rows_in(feeds), time.perf_counter_ns() - start)
        return dict(zip(names, values, strict=True))

    def _run_bits(
        self, names: Sequence[str], feeds: Feeds, options: onnxruntime.RunOptions | None
    ) -> list[Any]:
        """Run a model with bfloat16, which numpy lacks: its bits pass as they are."""
        values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array, _BFLOAT16)
            if name in self._bits
            else onnxruntime.OrtValue.ortvalue_from_numpy(array)
            for name, array in feeds.items()
        }
        results = self._session.run_with_ort_values(names, values, options)
        return [
            _bits(result) if name in self._bits else result.numpy()
            for name, result in zip(names, results, strict=True)
        ]


def load(
    folder: Path,
    threads: int = 1,
    golden_mode: Literal["refuse", "warn", "off"] = "refuse",
    probe: Callable[[Path], None] | None = None,
    device: Device = "cpu",
    session: SessionOptions | None = None,
) -> Servable:
    """Load a version: check its files, open it, replay its golden examples, measure it.

    Args:
        folder: The version's folder.
        threads: The most threads it may compute with; a quick model gets one.
        golden_mode: What to do with a version that does not reproduce its golden examples.
        probe: Raises `LoadError` for a version that must not be opened in this process.
        device: What computes it.
        session: ONNX Runtime's options by their names in Triton's backend. Defaults to none.

    Raises:
        LoadError: It cannot be served; the message says why.
    """
    manifest = Manifest.read(folder)
    if manifest is not None:
        manifest.verify(folder)
    if probe is not None:
        probe(folder)
    examples = golden.read(folder) if golden_mode != "off" else None
    session = session or {}
    fixed = "intra_op_thread_count" in session
    servable = _open(folder / MODEL, 1, device, session)
    feeds = _example(servable.signature, examples)
    servable.seconds = _measure(servable, feeds)
    if threads > 1 and servable.seconds > QUICK and not fixed:
        del servable  # before the second session takes as much memory again
        servable = _open(folder / MODEL, threads, device, session)
        servable.seconds = _measure(servable, feeds)
    servable.example = feeds
    # Who asks for more threads than there may be must still find its turn.
    servable.threads = min(servable.threads, threads)
    if examples is not None:
        tolerances = manifest.tolerances if manifest is not None else {}
        try:
            reason = golden.replay(servable.run, examples, servable.signature.inputs, tolerances)
        except InvalidArgument as error:
            reason = f"golden examples cannot be run: {error}"
        if reason and golden_mode == "refuse":
            raise LoadError(reason)
        if reason:
            logger.warning("%s: %s", folder, reason)
    return servable


def try_out(folder: Path) -> None:
    """Open a version and run one example, if there is one, for whatever harm that may do.

    Raises:
        LoadError: It cannot be opened, or the example takes more memory than there is.
    """
    servable = _open(folder / MODEL, threads=1)
    feeds = _example(servable.signature, golden.read(folder))
    try:
        if feeds is not None:
            servable.run(feeds)
    except InvalidArgument as error:  # the model may be right to refuse zeros
        if _NO_MEMORY.search(str(error)):
            raise LoadError(f"an example takes too much memory: {error}") from error


def _open(
    path: Path, threads: int, device: Device = "cpu", session: SessionOptions | None = None
) -> Servable:
    session = session or {}
    threads = int(session.get("intra_op_thread_count", threads))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = int(session.get("inter_op_thread_count", 1))
    options.execution_mode = onnxruntime.ExecutionMode(int(session.get("execution_mode", 0)))
    options.enable_cpu_mem_arena = bool(session.get("enable_mem_arena", True))
    options.enable_mem_pattern = bool(session.get("enable_mem_pattern", True))
    options.log_severity_level = _FATAL
    # Spinning threads take the cores from the sessions of all other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in session.items():
        if name.startswith("session."):
            options.add_session_config_entry(name, str(int(value)))
    providers = _providers(device, session)
    try:
        opened = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        raise LoadError(_sentence(error)) from error
    if len(opened.get_providers()) < len(providers):  # it falls back without an error
        raise LoadError("ONNX Runtime cannot use CUDA here: look at the driver and its version.")
    optional = [_spec(node, optional=True) for node in opened.get_overridable_initializers()]
    signature = Signature(
        inputs=(*map(_spec, opened.get_inputs()), *optional),
        outputs=tuple(map(_spec, opened.get_outputs())),
    )
    metadata = opened.get_modelmeta().custom_metadata_map
    return Servable(opened, signature.described_by(metadata), threads)


def _providers(device: Device, session: SessionOptions) -> list[Any]:
    """ONNX Runtime's execution providers for a device, the preferred one first."""
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise LoadError(
            "the device is 'cuda', and this ONNX Runtime has none: install onnxruntime-gpu in "
            "place of onnxruntime, or set the device to 'cpu'."
        )
    settings = {name: str(session[name]) for name in CUDA_OPTIONS if name in session}
    return [("CUDAExecutionProvider", settings), "CPUExecutionProvider"]


def _spec(node: onnxruntime.NodeArg, optional: bool = False) -> TensorSpec:
    # ONNX Runtime shows a scalar and an unknown number of dimensions alike.
    return TensorSpec(node.name, node.type, tuple(node.shape) or None, optional)


def _example(
    signature: Signature, examples: tuple[golden.Arrays, golden.Arrays] | None
) -> Feeds | None:
    """One example to measure with: a golden one, or zeros where every size is known or free."""
    if examples is not None:
        one = {name: array[:1] if array.ndim else array for name, array in examples[0].items()}
        whole = next(golden.batches(examples[0], signature.inputs), (None, one))[1]
        fits = all(s.accepts(one[s.name].shape) for s in signature.inputs if s.name in one)
        return one if fits else whole
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for spec in signature.inputs:
        if spec.optional:
            continue
        if spec.element is None or spec.shape is None:
            return None
        shape = [size if isinstance(size, int) else 1 for size in spec.shape]
        empty = "" if spec.element.onnx == "string" else 0
        feeds[spec.name] = np.full(shape, empty, spec.element.dtype)
    return feeds


def _measure(servable: Servable, feeds: Feeds | None) -> float:
    """The shortest of a few runs, in seconds; infinite where the model cannot take the example."""
    if feeds is None:
        return math.inf
    best = math.inf
    try:
        for _ in range(4):  # the first one allocates
            start = time.perf_counter()
            servable.run(feeds)
            best = min(best, time.perf_counter() - start)
            if best > 100 * QUICK:
                break
    except InvalidArgument:
        return math.inf
    return best


def _bits(value: onnxruntime.OrtValue) -> np.ndarray[Any, Any]:
    """A copy of a tensor of two bytes an element."""
    shape = value.shape()
    bits = (ctypes.c_uint16 * math.prod(shape)).from_address(value.data_ptr())
    return np.array(bits, np.uint16).reshape(shape)


def _sentence(error: Exception) -> str:
    """What ONNX Runtime says, without its prefix and on one line."""
    return "ONNX Runtime: " + " ".join(_PREFIX.sub("", str(error)).split())
