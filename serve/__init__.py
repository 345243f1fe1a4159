"""A server for ONNX models that speaks TensorFlow Serving's REST API and the Open Inference Protocol.

Example:
    >>> import serve
    >>> app = serve.create_app(serve.Settings(model_base_path="models"))
    >>> app.title
    'tapeline'
"""

from __future__ import annotations

import importlib
import os
from typing import Any

__version__ = "0.1.0"

# ONNX Runtime reads it when it is first imported: this server phones nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# What is public, and where it comes from; imported when first asked for, so that --help is quick.
_PUBLIC = {
    "create_app": "serve.app",
    "run": "serve.server",
    "Settings": "serve.settings",
    "ServeError": "serve.errors",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'serve' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
