"""Reads from ONNX Runtime how long each operator of a training step took, and where it comes from."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from trainer.compiled.facts import Facts
from trainer.core.graph import Graph
from trainer.core.mode import Place

_KERNEL = "_kernel_time"


class Timing(NamedTuple):
    """One operator in one run.

    Attributes:
        operator: What ran, `FusedGemm` where ONNX Runtime made one operator of two.
        place: Where it comes from, or `None` for what ONNX Runtime added, such as a change of layout.
        seconds: How long it took.
    """

    operator: str
    place: Place | None
    seconds: float


class Run(NamedTuple):
    """One run of a graph: its operators, and how long all of it took."""

    seconds: float
    timings: list[Timing]


class Watch:
    """The sessions that are made while it is set as `watching`: timed from inside, then from outside.

    Attributes:
        seconds: How long each run took after `look_from_outside`, while no operator was timed.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tapeline-profile-")
        self._sessions: list[tuple[Any, Graph]] = []
        self.seconds: list[float] = []

    def __len__(self) -> int:
        """The number of sessions."""
        return len(self._sessions)

    def prepare(self, options: Any) -> None:
        """Let a session that is made with these options time its runs."""
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(self._folder.name) / str(len(self)))

    def add(self, session: Any, graph: Graph) -> None:
        """Remember a session and the graph that it was made of."""
        self._sessions.append((session, graph))

    def look_from_outside(self) -> list[Run]:
        """End timing operators, and return every run but the first of each session, which warms up."""
        found = []
        with self._folder:
            for session, graph in self._sessions:
                events = json.loads(Path(session.end_profiling()).read_bytes())
                found += list(_runs(events, graph))[1:]
                session.run_with_iobinding = self._timed(session.run_with_iobinding)
        return found

    def end(self) -> None:
        """Let the sessions run as before."""
        for session, _ in self._sessions:
            del session.run_with_iobinding  # of the instance; the method of the class is left
        self._sessions = []

    def _timed(self, run: Callable[..., None]) -> Callable[..., None]:
        def timed(*arguments: Any) -> None:
            start = time.perf_counter()
            run(*arguments)
            self.seconds.append(time.perf_counter() - start)

        return timed


watching: ContextVar[Watch | None] = ContextVar("trainer_profile", default=None)


def _runs(events: list[dict[str, Any]], graph: Graph) -> Iterator[Run]:
    """ONNX Runtime writes a run after the operators in it, and a loop after the operators of its body."""
    facts = Facts(graph)
    timed: list[dict[str, Any]] = []
    for event in events:
        if event["name"] == "model_run":
            whole = [one for one in timed if one["ts"] >= event["ts"]]
            yield Run(event["dur"] / 1e6, [_timing(one, facts) for one in _outer(whole)])
            timed = []
        elif event["cat"] == "Node" and event["name"].endswith(_KERNEL):
            timed.append(event)


def _outer(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the operators that ran within another one: their time is in that of the loop."""
    kept: list[dict[str, Any]] = []
    for event in events:
        while kept and kept[-1]["ts"] > event["ts"]:
            kept.pop()
        kept.append(event)
    return kept


def _timing(event: dict[str, Any], facts: Facts) -> Timing:
    return Timing(
        event["args"]["op_name"],
        origin(event["name"].removesuffix(_KERNEL), facts),
        event["dur"] / 1e6,
    )


def origin(name: str, facts: Facts) -> Place | None:
    """Where an operator comes from, by its name in ONNX Runtime.

    A node is called after its first output. What ONNX Runtime makes of it, it calls `fused Gemm_1`,
    `MatMul_3/MatmulTransposeFusion/` or `MaxPool_2_nchwc`; of fused operators it keeps one name.
    """
    known = name.removeprefix("fused ").partition("/")[0]
    while known and known not in facts.made_by:
        known = known.rpartition("_")[0]
    return facts.made_by[known].line if known else None
