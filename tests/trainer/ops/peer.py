"""Functions of torch by name, imported only when a test calls them."""

import importlib
from collections.abc import Callable
from typing import Any


def of_torch(name: str, **options: Any) -> Callable[..., Any]:
    """The function `torch.<name>`, dotted names included, with keyword arguments filled in."""

    def function(*inputs: Any) -> Any:
        place, _, last = f"torch.{name}".rpartition(".")
        return getattr(importlib.import_module(place), last)(*inputs, **options)

    return function
