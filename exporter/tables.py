"""How results look to a person: tables for a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.inspection import Inspection
from exporter.publisher import Published
from exporter.signature import Signature, TensorSpec
from exporter.train_step import DISTRIBUTIONS, TrainStep
from exporter.verification import Verification
from trainer.core.hint import listing
from trainer.terminal import near


def show_inspection(console: Console, found: Inspection) -> None:
    """What a file is."""
    rows = [
        ("size", f"{_size(found.size)}, {found.parameters:,} parameters"),
        ("format", f"IR {found.ir_version}, opset {_opsets(found.opsets)}"),
        ("producer", found.producer or "unknown"),
    ]
    if found.signature is not None:
        rows.append(("task", _task(found.signature)))
    rows += [
        ("inputs", _specs(found.inputs)),
        ("outputs", _specs(found.outputs)),
        ("operators", ", ".join(f"{name} {count}" for name, count in found.operators.items())),
    ]
    origin = (found.lineage or {}).items()
    rows += [(key, _origin(key, value)) for key, value in origin if value is not None]
    console.print(Text(str(near(found.path)), "bold"), soft_wrap=True)
    console.print(_pairs(rows), soft_wrap=True)


def show_verification(console: Console, file: Path, proof: Verification) -> None:
    """How far ONNX Runtime and the trainer are apart."""
    table = Table(
        "output", "rows", "largest error", "relative", "allowed", box=None, pad_edge=False
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for one in proof.comparisons:
        rows = "fixed" if one.batch is None else str(one.batch)
        numbers = (f"{number:.1e}" for number in (one.error, one.relative, one.tolerance))
        table.add_row(one.output, rows, *numbers)
    console.print(Text(str(near(file)), "bold"), soft_wrap=True)
    console.print(table)
    console.print("[green]verified[/]: valid ONNX; ONNX Runtime and the trainer agree")


def show_published(console: Console, published: Published) -> None:
    """Where a version is, and how it is asked."""
    signature, worst = published.signature, published.verification.largest
    title = Text.assemble(("published ", "green"), (str(near(published.path)), "bold"))
    console.print(title, soft_wrap=True)
    proof = (
        f"ONNX Runtime and the trainer differ by at most {worst.relative:.1e} of the largest value"
    )
    console.print(
        _pairs(
            [
                ("task", _task(signature)),
                ("inputs", _specs(signature.inputs)),
                ("outputs", _specs(signature.outputs)),
                ("verified", proof),
            ]
        ),
        soft_wrap=True,
    )


def show_train_step(console: Console, written: TrainStep) -> None:
    """Where a training step is, and what it takes and gives."""
    worst = written.verification.largest
    title = Text.assemble(("wrote ", "green"), (str(near(written.path)), "bold"))
    console.print(title, soft_wrap=True)
    fixed = f", and {len(written.fixed)} that stay" if written.fixed else ""
    inputs = [
        f"{spec.name} {spec}"
        + (f", {DISTRIBUTIONS[written.draws[spec.name]]}" if spec.name in written.draws else "")
        for spec in written.inputs
    ]
    proof = (
        f"ONNX Runtime and the trainer differ by at most {worst.relative:.1e} of the largest value"
    )
    rows = [
        (
            "state",
            f"{len(written.state)} tensors that a step replaces{fixed}, as in the checkpoint",
        ),
        ("inputs", "\n".join(inputs)),
        ("outputs", "loss, and <name>.next for each <name> that is replaced"),
        ("verified", proof),
    ]
    console.print(_pairs(rows), soft_wrap=True)


def _pairs(rows: list[tuple[str, str]]) -> Text:
    """Names and what they are, in two columns."""
    width = max(len(key) for key, _ in rows)
    lines = []
    for key, value in rows:
        first, *more = value.split("\n")
        lines.append(Text.assemble((f"  {key:<{width}}  ", "dim"), first))
        lines += [Text(" " * (width + 4) + line) for line in more]
    return Text("\n").join(lines)


def _specs(specs: Iterable[TensorSpec]) -> str:
    return "\n".join(f"{spec.name} {spec}" for spec in specs)


def _task(signature: Signature) -> str:
    classes = signature.classes or ()
    shown = ", ".join(classes[:12]) + (
        f", ... ({len(classes)} in all)" if len(classes) > 12 else ""
    )
    return f"{signature.task}: {shown}" if classes else signature.task


def _opsets(opsets: dict[str, int]) -> str:
    return ", ".join(f"{v}" if d == "ai.onnx" else f"{d} {v}" for d, v in opsets.items())


def _origin(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {number:.4g}" if isinstance(number, float) else f"{name} {number}"
            for name, number in value.items()
        )
    if isinstance(value, list):
        return listing([str(one) for one in value])
    return str(value)[:12] if key in ("recipe", "data", "code") and value else str(value)


def _size(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
