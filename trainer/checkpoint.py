"""Checkpoints: parameters, running statistics, optimizer and random state in one safetensors file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trainer.core.errors import CheckpointError
from trainer.core.tensor import Array
from trainer.nn.module import Module

FORMAT = 1
_OPTIMIZER = "optimizer."


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on, or to be exported.

    Attributes:
        model: Parameters and buffers by their dotted names.
        optimizer: The optimizer's state by dotted name; empty for a model alone.
        meta: Plain values: epoch, random state, recipe, metrics.
    """

    model: Mapping[str, Array]
    optimizer: Mapping[str, Array] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the file whole or not at all.

        Raises:
            CheckpointError: It cannot be written; what was there before is still there.
        """
        target = Path(path)
        arrays = dict(self.model) | {_OPTIMIZER + n: a for n, a in self.optimizer.items()}
        metadata = {"format": str(FORMAT), "tapeline": json.dumps(dict(self.meta))}
        temporary = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".checkpoint-", dir=target.parent)
            os.close(handle)
            whole = {name: np.array(a, order="C") for name, a in arrays.items()}
            save_file(whole, temporary, metadata)
            os.replace(temporary, target)
        except (OSError, SafetensorError) as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise CheckpointError(f"Cannot write the checkpoint {target}: {error}.") from error

    @staticmethod
    def load(path: str | Path) -> Checkpoint:
        """Read a file.

        Raises:
            CheckpointError: It is missing, damaged, or written by a newer version.
        """
        if not Path(path).is_file():
            raise CheckpointError(f"There is no checkpoint {path}. Train first: tapeline train.")
        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} is damaged or no safetensors file: {error}.") from error
        if int(metadata.get("format", FORMAT)) > FORMAT:
            raise CheckpointError(
                f"{path} has the format {metadata['format']}; this version reads up to {FORMAT}. "
                "Update tapeline."
            )
        return Checkpoint(
            {n: a for n, a in arrays.items() if not n.startswith(_OPTIMIZER)},
            {n.removeprefix(_OPTIMIZER): a for n, a in arrays.items() if n.startswith(_OPTIMIZER)},
            json.loads(metadata.get("tapeline", "{}")),
        )


def save(model: Module, path: str | Path) -> None:
    """Write a Module's parameters and buffers as safetensors.

    Example:
        >>> import tempfile
        >>> from trainer.nn import Linear
        >>> a, b = Linear(2, 1), Linear(2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(a, folder + "/line.safetensors")
        ...     load(b, folder + "/line.safetensors")
        >>> bool((a.weight == b.weight).min())
        True
    """
    Checkpoint(model.state()).save(path)


def load(model: Module, path: str | Path) -> None:
    """Give a Module the parameters and buffers that `save` wrote.

    Raises:
        CheckpointError: The file is missing or damaged.
        TreeError: It belongs to another model; names and shapes that differ are listed.
    """
    model.load(Checkpoint.load(path).model)
