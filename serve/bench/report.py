"""Shows what was measured: a table that grows while it is measured, and the same as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from serve.bench.tally import Tally
from serve.bench.target import Target

PERCENTILES = (50, 99, 99.9)
_BUSY = 0.9  # of one processor, from which on the load generator may be the slower one


def show(target: Target, rounds: Iterable[Tally], console: Console) -> Iterator[Tally]:
    """Print a table of rounds while they come, and pass them on."""
    console.print(f"{target.address}{target.path}: {target.summary}", highlight=False)
    table = _table()
    complaints: dict[str, None] = {}
    busy = False
    # Never drawn by a thread meanwhile: that would take the time that is measured.
    live = Live(table, console=console, auto_refresh=False) if console.is_terminal else None
    try:
        for tally in rounds:
            table.add_row(*_cells(tally))
            if live is not None:
                live.start(refresh=True)
                live.refresh()
            if tally.complaint:
                complaints[tally.complaint] = None
            busy |= tally.busy > _BUSY
            yield tally
    finally:
        if live is not None:
            live.stop()
        else:
            console.print(table)
    for complaint in complaints:
        console.print(f"answered: {' '.join(complaint.split())[:300]}", markup=False)
    if busy:
        console.print("* The load generator itself was busy: the server may do more than this.")


def as_data(tally: Tally) -> dict[str, Any]:
    """A round for programs; latencies in milliseconds, null where there was no answer."""
    return {
        "loop": tally.loop,
        "clients" if tally.loop == "closed" else "rate": tally.load,
        "seconds": round(tally.seconds, 3),
        "asked": tally.asked,
        "answered": len(tally.latencies),
        "refused": tally.refused,
        "failed": tally.failed,
        "answers_per_second": round(tally.throughput, 1),
        **{
            f"p{percent:g}_ms": None if math.isnan(value) else round(value, 3)
            for percent in PERCENTILES
            for value in [tally.percentile(percent)]
        },
        "generator_busy": round(tally.busy, 2),
    }


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("load")
    for name in ("answers/s", *(f"p{p:g} ms" for p in PERCENTILES), "refused", "failed"):
        table.add_column(name, justify="right")
    return table


def _cells(tally: Tally) -> list[str]:
    closed = tally.loop == "closed"
    load = (
        f"{tally.load:g} client{'s' * (tally.load != 1)}"
        if closed
        else f"{tally.load:,.0f} a second"
    )
    latencies = (tally.percentile(percent) for percent in PERCENTILES)
    return [
        load,
        f"{tally.throughput:,.1f}" + "*" * (tally.busy > _BUSY),
        *("-" if math.isnan(value) else f"{value:,.2f}" for value in latencies),
        *(f"[yellow]{count:,}[/]" if count else "0" for count in (tally.refused,)),
        *(f"[red]{count:,}[/]" if count else "0" for count in (tally.failed,)),
    ]
