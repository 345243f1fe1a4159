"""One application of an operator, as the case tables of the families write it down."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import trainer.ops
from trainer.core.op import COMPOSITES, REGISTRY, Op


class Case(NamedTuple):
    """An operator with inputs and attributes that the registry-wide tests try it on.

    Attributes:
        op: The operator's name.
        inputs: numpy arrays; floating ones in float64 (cast down where a test wants float32),
            integers, booleans and `None` (absent) as they are.
        attrs: The attributes, and `outputs` where more than one is asked for.
        wrt: The inputs to differentiate by. Defaults to all floating ones.
        order: How often the case can be differentiated; 0 is forward only. Defaults to 2.
        torch: The same function of torch Tensors (`None` kept), or `None` if torch has none.
        note: What distinguishes it from other cases of the operator in the names of tests.
        kinks: Whether values lie on ties or kinks: compared with torch only, not with differences.
    """

    op: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    wrt: tuple[int, ...] | None = None
    order: int = 2
    torch: Callable[..., Any] | None = None
    note: str = ""
    kinks: bool = False

    def differentiated(self) -> tuple[int, ...]:
        """The inputs to differentiate by."""
        if self.wrt is not None:
            return self.wrt
        return tuple(i for i, x in enumerate(self.inputs) if x is not None and x.dtype.kind == "f")

    def cast(self, dtype: Any) -> "Case":
        """The same case with its floating inputs in another dtype."""
        return self._replace(
            inputs=tuple(
                x.astype(dtype) if x is not None and x.dtype == np.float64 else x
                for x in self.inputs
            )
        )


def all_cases() -> list[Case]:
    """The cases of every table beside this module."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
    tables = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return [case for table in tables for case in table.CASES]


def ids(cases: list[Case]) -> list[str]:
    """A name per case, a number added where two are alike."""
    seen: dict[str, int] = {}
    names = []
    for case in cases:
        name = f"{case.op}-{case.note}" if case.note else case.op
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def operators() -> list[Op]:
    """The operators of ONNX itself that have a kernel here."""
    for family in pkgutil.iter_modules(trainer.ops.__path__, "trainer.ops."):
        importlib.import_module(family.name)
    ours = [
        found for found in REGISTRY.values() if found.kernel.__module__.startswith("trainer.ops")
    ]
    return [found for found in ours if not found.domain]


def composites() -> list[Op]:
    """The operators of ONNX that are functions of Tensors here, with their signatures read."""
    return [Op(name, function) for name, function in COMPOSITES.items()]
