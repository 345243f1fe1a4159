"""What an operator is: a name, a numpy kernel and a gradient rule, found by name in one registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from trainer.core.errors import OperatorError
from trainer.core.hint import did_you_mean

Kernel = Callable[..., Any]
Rule = Callable[..., Any]


class Op:
    """An ONNX operator.

    Args:
        name: The operator's name in ONNX, `"Conv"`.
        kernel: A function from numpy arrays (`None` for an absent input) and keyword attributes to an
            array, or to a tuple of arrays if the operator has several outputs. The annotations of its
            positional parameters are the type variables of the ONNX schema: inputs that share one
            must share a dtype. A keyword-only parameter `outputs` receives how many outputs are asked for.
        domain: The operator set it belongs to. Defaults to ONNX's own, "".
        since: The first opset version that has it. Defaults to 21, the version that graphs are stamped with.

    Attributes:
        rule: The gradient rule or `None`, see `trainer.core.define.vjp`.
        differentiable: `False` if the gradient is zero or undefined by nature (ArgMax, Equal).
        rule_outputs: How many outputs the rule needs while the tape is on.
        inputs: The names of the inputs; a variadic one is not among them.
        several: Whether the kernel returns a tuple of outputs (its return annotation says so).
        tape_only: Whether it is there for its rule alone: its outputs are its first inputs, and a captured
            graph does not have it.
    """

    __slots__ = (
        "_kept",
        "counts_outputs",
        "defaults",
        "differentiable",
        "domain",
        "inputs",
        "kept_output",
        "kernel",
        "name",
        "rule",
        "rule_attrs",
        "rule_outputs",
        "several",
        "since",
        "tape_only",
        "types",
        "uniform",
        "variadic",
    )

    def __init__(self, name: str, kernel: Kernel, domain: str = "", since: int = 21) -> None:
        self.name, self.kernel, self.domain, self.since = name, kernel, domain, since
        self.rule: Rule | None = None
        self.differentiable = True
        self.tape_only = False
        self.rule_outputs = 1
        self.rule_attrs: frozenset[str] | None = frozenset()
        self._kept: tuple[bool, ...] = ()
        self.kept_output = False
        signature = inspect.signature(kernel)
        parameters = list(signature.parameters.values())
        positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self.several = str(signature.return_annotation).startswith("tuple")
        self.inputs = tuple(p.name for p in positional if p.kind is not p.VAR_POSITIONAL)
        self.types = tuple(str(p.annotation).removesuffix(" | None") for p in positional)
        self.variadic = bool(positional) and positional[-1].kind is inspect.Parameter.VAR_POSITIONAL
        self.uniform = len(set(self.types)) == 1
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.counts_outputs = self.defaults.pop("outputs", None) is not None

    def bind(
        self, inputs: tuple[Any, ...], attrs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Put inputs that were given by name in their places.

        So ReduceSum's `axes` may be an attribute, as it was until opset 12.
        """
        placed = list(inputs)
        rest = dict(attrs)
        for name in attrs.keys() & set(self.inputs):
            place = self.inputs.index(name)
            placed += [None] * (place + 1 - len(placed))
            placed[place] = rest.pop(name)
        return placed, rest

    def type_of(self, index: int) -> str:
        """The type variable of input `index`; the last one stands for all of a variadic input."""
        return self.types[min(index, len(self.types) - 1)] if self.types else ""

    def keeps(self, index: int) -> bool:
        """Whether the gradient rule reads the array of input `index`."""
        return bool(self._kept) and self._kept[min(index, len(self._kept) - 1)]

    def differentiate_by(self, rule: Rule, outputs: int = 1) -> None:
        """Set the gradient rule: `rule(g, y, *inputs, **attributes)`, one gradient per input.

        A parameter whose name starts with `_` is not read: it receives the shape and dtype only.
        """
        parameters = list(inspect.signature(rule).parameters.values())
        positional = [
            p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        ]
        self.rule, self.rule_outputs = rule, outputs
        self.kept_output = not positional[1].name.startswith("_")
        self._kept = tuple(not p.name.startswith("_") for p in positional[2:])
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.rule_attrs = (
            None if takes_all else frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        )

    def attributes_for_rule(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The attributes that the rule names, with the kernel's defaults filled in."""
        full = {**self.defaults, **attrs}
        if self.rule_attrs is None:
            return full
        return {name: full[name] for name in self.rule_attrs}

    def __repr__(self) -> str:
        return f"Op({self.name})"


REGISTRY: dict[str, Op] = {}

# Functions of Tensors that are what they are made of (If, SequenceAt): nothing is recorded for them.
COMPOSITES: dict[str, Callable[..., Any]] = {}

# Set by trainer.core.reference on import: makes an operator that has no kernel of its own.
fallback: Callable[[str], Op | None] | None = None


def find(name: str) -> Op:
    """The operator of that name.

    Raises:
        OperatorError: There is none; the message names the nearest.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    made = fallback(name) if fallback else None
    if made is not None:
        return REGISTRY.setdefault(name, made)
    hint = did_you_mean(name, REGISTRY)
    raise OperatorError(f"There is no operator {name!r}.{hint} Operators are spelled as in ONNX.")
