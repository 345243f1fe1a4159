"""Opens an ONNX file, or the one in a published version or in the newest version of a model folder."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from exporter.errors import ExportError
from trainer.core.hint import did_you_mean


def find(path: str | Path) -> Path:
    """The ONNX file meant by a path: the file itself, a version folder, or a model folder.

    Raises:
        ExportError: There is none.
    """
    given = Path(path)
    if given.is_file():
        return given
    newest = [folder / "model.onnx" for folder in reversed(versions(given))]
    for file in (given / "model.onnx", *newest):
        if file.is_file():
            return file
    if (given / "recipe.toml").is_file():
        raise ExportError(f"{given} has no published version yet. Run: tapeline export {given}")
    siblings = given.parent.iterdir() if given.parent.is_dir() else ()
    hint = did_you_mean(str(given), (str(other) for other in siblings if other != given))
    raise ExportError(
        f"There is no model at {given}.{hint} Give an .onnx file, a version (models/name/1) or a "
        "model folder with published versions (models/name)."
    )


def versions(folder: Path) -> list[Path]:
    """The published versions in a model folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.name.isascii() and p.name.isdigit() and p.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def version_of(file: Path) -> Path | None:
    """The published version that a file is the model of, or `None` for a file on its own."""
    folder = file.parent
    return folder if file.name == "model.onnx" and folder.name.isdigit() else None


def read(file: Path) -> onnx.ModelProto:
    """Read an ONNX file with its weights.

    Raises:
        ExportError: It is missing or no ONNX file.
    """
    try:
        model = onnx.load(file)
    except OSError as error:
        raise ExportError(f"Cannot read {file}: {error.strerror or error}.") from error
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise ExportError(
            f"{file} is no ONNX file, or its weights are missing: {reason}."
        ) from error
    if not model.ir_version or not model.graph.node:
        raise ExportError(f"{file} is no ONNX file: it has no operators.")
    return model
