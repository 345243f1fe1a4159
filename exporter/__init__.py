"""From a trained Module to a checked, published ONNX file.

Example:
    >>> import exporter
    >>> exporter.export
    <function export at ...>
"""

from __future__ import annotations

import importlib
from typing import Any

# What is public, and where it comes from; imported when first asked for, so that --help is quick.
_PUBLIC = {
    "export": "exporter.writer",
    "export_train_step": "exporter.train_step",
    "load": "exporter.reader",
    "verify": "exporter.verification",
    "publish": "exporter.publisher",
    "inspect": "exporter.inspection",
    "predict": "exporter.prediction",
    "Signature": "exporter.signature",
    "TensorSpec": "exporter.signature",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'exporter' has no attribute {name!r}")
    importlib.import_module("trainer.ops")  # every operator is registered before the first is used
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
