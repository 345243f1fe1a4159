"""How a profile looks in a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer.profile import ADDED, Entry, Profile

ROWS = 12  # of each table; what is left is summed up in one more
WIDTH = 100  # characters, where there is no terminal
_BAR = 40  # characters, the whole step


def console() -> Console:
    """A terminal as wide as it is; elsewhere as wide as the tables need."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDTH)


def show_profile(console: Console, profile: Profile) -> None:
    """Three tables: by part of the step, by layer and line, by operator."""
    title = Text.assemble((profile.title(), "bold"), "   ", (profile.note(), "dim"))
    console.print("\n", title, sep="")
    for table in (_parts(profile, console), _layers(profile), _operators(profile)):
        console.print()
        console.print(table)
    if any(entry.layer == ADDED for entry in profile.entries):
        console.print(
            Text("\nAn operator that ONNX Runtime fused stands at one of its origins.", "dim")
        )


def _parts(profile: Profile, console: Console) -> Table:
    table = _table("part of the step", "ms", "share")
    table.add_column("", style="cyan", no_wrap=True)
    block = "#" if console.options.ascii_only else "█"
    for part, seconds in profile.parts().items():
        share = seconds / profile.total
        table.add_row(part, profile.ms(seconds), _percent(share), block * round(share * _BAR))
    return table


def _layers(profile: Profile) -> Table:
    lines = profile.lines()
    rows: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in profile.entries:
        rows[entry.layer, lines[entry]].append(entry)
    table = _table("layer", "forward", "backward", "ms", "share")
    if any(lines.values()):
        table.add_column("line", style="dim")  # the only one that may be cut short
    for (layer, line), entries in _longest(rows):
        forward = _seconds(e for e in entries if e.part == "forward")
        backward = _seconds(e for e in entries if e.part == "backward")
        whole = _seconds(entries)
        cells = [profile.ms(t) if t else "" for t in (forward, backward)]
        share = _percent(whole / profile.total)
        table.add_row(Text(layer), *cells, profile.ms(whole), share, _cut(line))
    return table


def _operators(profile: Profile) -> Table:
    rows: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in profile.entries:
        rows[entry.operator, ""].append(entry)
    table = _table("operator", "calls", "ms", "share")
    for (operator, _), entries in _longest(rows):
        calls = f"{sum(entry.calls for entry in entries):.0f}"
        whole = _seconds(entries)
        table.add_row(operator, calls, profile.ms(whole), _percent(whole / profile.total))
    return table


def _table(*columns: str) -> Table:
    """Names to the left, numbers to the right."""
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right"
    table.columns[0].justify, table.columns[0].min_width = "left", 22
    return table


def _cut(line: str) -> Text:
    return Text(line, no_wrap=True, overflow="ellipsis")


def _longest(
    rows: defaultdict[tuple[str, str], list[Entry]],
) -> list[tuple[tuple[str, str], list[Entry]]]:
    """The longest rows, and one for the others."""
    ordered = sorted(rows.items(), key=lambda row: -_seconds(row[1]))
    if len(ordered) <= ROWS + 1:
        return ordered
    others = [entry for _, entries in ordered[ROWS:] for entry in entries]
    return [*ordered[:ROWS], ((f"{len(ordered) - ROWS} more", ""), others)]


def _seconds(entries: Iterable[Entry]) -> float:
    return sum(entry.seconds for entry in entries)


def _percent(share: float) -> str:
    return f"{share:.1%}"
