"""Where the time of a training step goes: by part of the step, by line or layer, by operator."""

from __future__ import annotations

import functools
import linecache
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

from trainer import random
from trainer.compiled.profiler import Run, Timing, Watch, watching
from trainer.core.errors import ConfigError
from trainer.core.mode import Place, capturing, location, mode, place
from trainer.core.op import REGISTRY
from trainer.core.tensor import Array
from trainer.step import Step

STEPS = 50  # how many steps are timed; as many after them give the time without a profile
ADDED = "added by ONNX Runtime"
BETWEEN = "between operators"
DRAWS, PYTHON, DATA = "random draws", "Python", "data and loop"


class Entry(NamedTuple):
    """What one operator at one place takes in a step.

    Attributes:
        operator: Its name; `FusedGemm` where ONNX Runtime made one operator of two.
        place: Where it comes from; of what was fused, where one of them comes from.
        seconds: The time per step.
        calls: How often it runs per step.
    """

    operator: str
    place: Place | None
    seconds: float
    calls: float

    @property
    def part(self) -> str:
        """The part of the step: "forward", "backward" or "optimizer"."""
        return ADDED if self.place is None else self.place.phase

    @property
    def layer(self) -> str:
        """The layer that it belongs to, or what stands beside the layers."""
        if self.place is None or self.place.phase == "optimizer":
            return self.part
        return self.place.layer or "loss"


@dataclass(frozen=True)
class Profile:
    """Where the time of a step goes, in seconds.

    What operators take is in proportion to what they took while they were timed, and their sum is at most
    the time of a step that nobody looked into: a clock around every operator makes a step longer.

    Attributes:
        steps: How many steps were timed.
        step: A whole step that nobody looked into, the median; or `observed` if there was none.
        observed: A whole step while its operators were timed, the median.
        between: Within ONNX Runtime, but in none of its operators; `None` when a model runs eagerly.
        draws: For random draws.
        python: For everything else within a step.
        outside: From the end of a step to the beginning of the next: loading data, the loop.
        entries: What the operators take, the longest first.
    """

    steps: int
    step: float
    observed: float
    between: float | None
    draws: float
    python: float
    outside: float
    entries: tuple[Entry, ...]

    @property
    def total(self) -> float:
        """A step with what lies between steps."""
        return self.step + self.outside

    def parts(self) -> dict[str, float]:
        """What the time is spent on; the sum is `total`."""
        parts = dict.fromkeys(("forward", "backward", "optimizer"), 0.0)
        for entry in self.entries:
            parts[entry.part] = parts.get(entry.part, 0.0) + entry.seconds
        if self.between:
            parts[BETWEEN] = self.between
        if self.draws:
            parts[DRAWS] = self.draws
        return {**parts, PYTHON: self.python, DATA: self.outside}

    def lines(self) -> dict[Entry, str]:
        """Of each entry the user's line as `model.py:12 y = self.conv(x)`.

        Nothing where the layer says it all: for an optimizer, and if one line runs the whole model.
        """
        found = {e: e.place for e in self.entries if e.place is not None and e.place.file}
        if len({where[:2] for where in found.values()}) < 2:
            return dict.fromkeys(self.entries, "")
        return {e: _line(found[e]) if e in found else "" for e in self.entries}

    def title(self) -> str:
        """The time of a step in words."""
        return f"{self.ms(self.total)} ms per step"

    def note(self) -> str:
        """How it was measured, in words."""
        return f"{self.steps} steps timed; a step took {self.ms(self.observed)} ms meanwhile"

    def ms(self, seconds: float) -> str:
        """Milliseconds, with as many digits as a step of this length needs."""
        return f"{seconds * 1e3:.{4 if self.total < 1e-3 else 3}f}"

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        rows = [entry._asdict() for entry in self.entries]
        for row, entry in zip(rows, self.entries, strict=True):
            row["place"] = None if entry.place is None else entry.place._asdict()
        return {**asdict(self), "parts": self.parts(), "entries": rows}


def _line(where: Place) -> str:
    """The place and the text of a line; an optimizer's is the line that trains, and says nothing."""
    if where.phase == "optimizer":
        return ""
    return f"{location(where)} {linecache.getline(where.file, where.number).strip()}".strip()


@dataclass
class _Step:
    """What was seen of one step: its seconds, those before it, and what was timed within."""

    seconds: float = 0.0
    outside: float | None = None
    draws: float = 0.0
    overhead: float = 0.0
    timings: list[Timing] = field(default_factory=list)


class Recording:
    """A training step that notes where its time goes, and otherwise does what the step does.

    Within a `with` block it times the operators of 50 steps, then as many steps from outside. A step in
    which a graph is captured does not count. ONNX Runtime times its operators itself; eager ones are
    timed by a clock around their kernels.

    Example:
        >>> import numpy as np
        >>> from trainer import nn, optim
        >>> from trainer.step import EagerStep
        >>> x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
        >>> with Recording(EagerStep(nn.Linear(3, 2), nn.mse_loss, optim.SGD())) as step:
        ...     losses = [step.train(x, y, 0.1) for _ in range(3)]
        >>> {entry.layer for entry in step.profile().entries if entry.operator == "Gemm"}
        {'Linear'}

    Args:
        step: What trains.
        steps: How many steps to time. Defaults to 50.
    """

    def __init__(self, step: Step, steps: int = STEPS) -> None:
        self.step, self._steps = step, steps
        self.model, self.loss = step.model, step.loss
        self._watch, self._exit = Watch(), ExitStack()
        self._first = True
        self._kept: list[_Step] = []
        self._outside: list[float] = []
        self._runs: list[Run] | None = None
        self._now: _Step | None = None
        self._ended: float | None = None

    def __enter__(self) -> Recording:
        token = watching.set(self._watch)
        self._exit.callback(watching.reset, token)
        for op in REGISTRY.values():
            self._exit.callback(setattr, op, "kernel", op.kernel)
            op.kernel = self._timed_kernel(op.name, op.kernel)
        for name, sampler in random.SAMPLERS.items():
            self._exit.callback(random.SAMPLERS.__setitem__, name, sampler)
            random.SAMPLERS[name] = self._timed_draw(sampler)
        return self

    def __exit__(self, *error: object) -> None:
        self._look_from_outside()
        self._watch.end()

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch and return its loss."""
        if self._runs is None:
            return self._timed_inside(x, y, lr)
        if len(self._outside) == self._steps:
            return self.step.train(x, y, lr)
        start = time.perf_counter()
        loss = self.step.train(x, y, lr)
        self._outside.append(time.perf_counter() - start)
        if len(self._outside) == self._steps:
            self._watch.end()
        return loss

    def _timed_inside(self, x: Array, y: Array, lr: float) -> float:
        seen, sessions = _Step(), len(self._watch)
        with mode(anomaly=True):
            self._now, start = seen, time.perf_counter()
            loss = self.step.train(x, y, lr)
            self._now, end = None, time.perf_counter()
        seen.seconds = end - start - seen.overhead
        seen.outside = None if self._ended is None else start - self._ended
        if not self._first and len(self._watch) == sessions:
            self._kept.append(seen)
        self._first, self._ended = False, end
        if len(self._kept) == self._steps:
            self._look_from_outside()
        return loss

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        self._ended = None
        return self.step.predict(x)

    def sync(self) -> None:
        """Bring the model's parameters up to date."""
        self._ended = None
        self.step.sync()

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint."""
        self._ended = None
        return self.step.state()

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state."""
        self.step.load(state)

    def profile(self) -> Profile:
        """What was seen.

        Raises:
            ConfigError: Too few steps were made.
        """
        self._look_from_outside()
        if not self._kept:
            raise ConfigError(
                "A profile needs a second step with batches of the same size, for the first one is "
                "spent on capturing. Train for more epochs, or with smaller batches."
            )
        runs, count = self._runs or [], len(self._kept)
        timings = [t for run in runs for t in run.timings] + [
            t for s in self._kept for t in s.timings
        ]
        observed = median(seen.seconds for seen in self._kept)
        step = median(self._outside or [observed])
        draws = min(median(seen.draws for seen in self._kept), step)
        graph = median(self._watch.seconds or [run.seconds for run in runs] or [0.0])
        room = min(graph, step - draws) if runs else step - draws
        entries, between = fit(_entries(timings, count), room)
        return Profile(
            steps=count,
            step=step,
            observed=observed,
            between=between if runs else None,
            draws=draws,
            python=max(step - draws - graph, 0.0) if runs else between,
            outside=median([s.outside for s in self._kept if s.outside is not None] or [0.0]),
            entries=entries,
        )

    def _look_from_outside(self) -> None:
        """Let every operator run as before."""
        if self._runs is None:
            self._exit.close()
            self._runs = self._watch.look_from_outside()

    def _timed_kernel(self, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(kernel)
        def timed(*inputs: Any, **attrs: Any) -> Any:
            seen = self._now
            if seen is None or capturing():
                return kernel(*inputs, **attrs)
            before = time.perf_counter()
            where = place()
            start = time.perf_counter()
            result = kernel(*inputs, **attrs)
            seen.timings.append(Timing(name, where, time.perf_counter() - start))
            seen.overhead += start - before
            return result

        return timed

    def _timed_draw(self, sampler: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> None:
            start = time.perf_counter()
            sampler(*arguments)
            if self._now is not None:
                self._now.draws += time.perf_counter() - start

        return timed


def fit(entries: Sequence[Entry], room: float) -> tuple[tuple[Entry, ...], float]:
    """Entries in proportion to these that together take at most `room` seconds, and what is left of it."""
    total = sum(entry.seconds for entry in entries)
    scale = min(1.0, room / total) if total else 1.0
    scaled = tuple(entry._replace(seconds=entry.seconds * scale) for entry in entries)
    return scaled, max(room - total * scale, 0.0)  # rounding may leave less than nothing


def _entries(timings: Iterable[Timing], steps: int) -> tuple[Entry, ...]:
    seconds: defaultdict[tuple[str, Place | None], list[float]] = defaultdict(list)
    for operator, where, took in timings:
        seconds[operator, where].append(took)
    entries = [
        Entry(operator, where, sum(each) / steps, len(each) / steps)
        for (operator, where), each in seconds.items()
    ]
    return tuple(sorted(entries, key=lambda entry: -entry.seconds))
