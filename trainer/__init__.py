"""A define-by-run trainer whose operators are ONNX operators.

Example:
    >>> import trainer
    >>> x = trainer.Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.])
"""

from __future__ import annotations

import importlib
from typing import Any

# What is public, and where it comes from; imported when first asked for, so that --help is quick.
_PUBLIC = {
    "Tensor": "trainer.core.tensor",
    "apply": "trainer.core.tensor",
    "no_grad": "trainer.core.mode",
    "detect_anomaly": "trainer.core.mode",
    "grad": "trainer.core.tape",
    "value_and_grad": "trainer.core.tape",
    "jvp": "trainer.core.tape",
    "op": "trainer.core.define",
    "vjp": "trainer.core.define",
    "capture": "trainer.core.trace",
    "compile": "trainer.compiled.function",
    "save": "trainer.checkpoint",
    "load": "trainer.checkpoint",
    "fit": "trainer.loop",
    "TapelineError": "trainer.core.errors",
}
_MODULES = ("nn", "ops", "optim", "random", "data")

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"trainer.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'trainer' has no attribute {name!r}")
    importlib.import_module("trainer.ops")  # every operator is registered before the first is used
    importlib.import_module("trainer.core.tape")  # Tensor.backward finds its walk
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
