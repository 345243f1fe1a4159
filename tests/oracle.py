"""Other libraries that tests hold results against."""

import importlib
import os
from typing import Any

import pytest


def oracle(name: str) -> Any:
    """Import an independent library, or skip the module that wants it.

    Under `ORACLES=require`, as continuous integration sets it, a missing oracle is a failure.
    """
    if os.environ.get("ORACLES") == "require":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed; the `test` extra has it")
