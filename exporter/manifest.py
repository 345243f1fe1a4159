"""The manifest of a version: every file with its hash, and golden examples for a server to repeat."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from exporter.errors import VerificationError
from exporter.verification import Verification
from trainer.core.tensor import Array

FORMAT = 1
MANIFEST, GOLDEN = "manifest.json", "golden.npz"
# How far a server may be from the golden outputs: another processor adds in another order.
RTOL, ATOL = 1e-3, 1e-4


def save_golden(folder: Path, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    """Write golden examples: arrays `input/<name>` and `output/<name>`, strings of fixed width."""
    arrays = {f"input/{name}": array for name, array in inputs.items()}
    arrays |= {f"output/{name}": array for name, array in outputs.items()}
    plain = {key: a.astype(str) if a.dtype.kind == "O" else a for key, a in arrays.items()}
    np.savez(folder / GOLDEN, allow_pickle=False, **plain)


def load_golden_inputs(folder: Path) -> dict[str, Array] | None:
    """The inputs of the golden examples by name, or `None` where there are no examples."""
    if not (folder / GOLDEN).is_file():
        return None
    with np.load(folder / GOLDEN, allow_pickle=False) as arrays:
        inputs = {k.removeprefix("input/"): arrays[k] for k in arrays if k.startswith("input/")}
    return {k: a.astype(object) if a.dtype.kind == "U" else a for k, a in inputs.items()}


def write(folder: Path, name: str, rows: int, outputs: list[str], proof: Verification) -> None:
    """Write the manifest of everything else in the folder.

    Args:
        folder: What will be the version.
        name: The name of the model.
        rows: How many golden examples there are.
        outputs: The names of their outputs.
        proof: How the file was compared with the trainer.
    """
    worst = proof.largest
    manifest = {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.name: _described(file) for file in sorted(folder.iterdir())},
        "golden": {
            "rows": rows,
            "outputs": {o: {"rtol": RTOL, "atol": ATOL, "compare": "close"} for o in outputs},
        },
        "trainer_difference": {output: proof.difference(output) for output in outputs},
        "verification": {
            "batches": sorted({one.batch for one in proof.comparisons if one.batch is not None}),
            "largest_relative_error": worst.relative,
            "output": worst.output,
            "tolerance": worst.tolerance,
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def check(folder: Path) -> None:
    """Compare the files of a version with its manifest, if it has one.

    Raises:
        VerificationError: A file is missing or not as it was published.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return
    try:
        manifest = json.loads(file.read_text())
        number, listed = int(manifest["format"]), dict(manifest["files"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise VerificationError(f"{file} cannot be read: {error}.") from error
    if number > FORMAT:
        raise VerificationError(
            f"{file} has the format {number}; this version reads up to {FORMAT}. Update tapeline."
        )
    for name, expected in listed.items():
        if not (folder / name).is_file():
            raise VerificationError(f"{folder} lacks {name}, which its manifest lists.")
        if _described(folder / name) != expected:
            raise VerificationError(f"{folder / name} is not what was published: its hash differs.")


def _described(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
