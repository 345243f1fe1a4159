"""The operators: ONNX's, one file per family, each with its kernel and its gradient rule."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    _found = importlib.import_module(f"trainer.ops.{_module.name}")
    globals().update({k: v for k, v in vars(_found).items() if hasattr(v, "__wrapped__")})
