"""The two decorators that make an operator: `@op` for its kernel, `@vjp` for its gradient rule."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from trainer.core.errors import OperatorError
from trainer.core.op import COMPOSITES, REGISTRY, Op, find
from trainer.core.tensor import apply

# Annotations of kernel parameters: the type variables of the ONNX schemas. Inputs that are annotated
# with the same one must have the same dtype; a test holds them against the schemas.
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
T: TypeAlias = Array
T1: TypeAlias = Array
T2: TypeAlias = Array
T3: TypeAlias = Array
Tind: TypeAlias = Array
TI: TypeAlias = Array
V: TypeAlias = Array
B: TypeAlias = Array
Int64: TypeAlias = Array
Float32: TypeAlias = Array
Bool: TypeAlias = Array


def op(name: str, *, domain: str = "", since: int = 21) -> Callable[[Callable[..., Any]], Any]:
    """Register a kernel as the ONNX operator `name`; what is returned runs it on Tensors.

    Example:
        >>> import numpy as np
        >>> from trainer.core.tensor import Tensor
        >>> @op("ExampleDouble", domain="example")
        ... def double(x: T) -> T:
        ...     return x * 2
        >>> double(Tensor([1.0, 2.0]))
        Tensor([2., 4.])

    Args:
        name: The operator's name in ONNX.
        domain: Its operator set. Defaults to ONNX's own, "".
        since: The first opset version that has it, where that is later than 21. Defaults to 21.

    Returns:
        A decorator. The kernel takes arrays (`None` where absent) by position and attributes by
        keyword, with the schema's names and defaults, and returns an array or a tuple of arrays.
    """

    def define(kernel: Callable[..., Any]) -> Callable[..., Any]:
        REGISTRY[name] = Op(name, kernel, domain, since)

        @functools.wraps(kernel)
        def function(*inputs: Any, **attrs: Any) -> Any:
            return apply(name, *inputs, **attrs)

        function.operator = name  # type: ignore[attr-defined]
        return function

    return define


def composite(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of Tensors as the ONNX operator `name`: it is what it is made of.

    So it needs no gradient rule, and a captured graph holds the operators that it ran.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        COMPOSITES[name] = function
        function.operator = name  # type: ignore[attr-defined]
        return function

    return define


def vjp(name: str, *, outputs: int = 1) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the gradient rule of the operator `name`: an ordinary function written in operators.

    The rule is called as `rule(g, y, *inputs, **attributes)` with the gradient of the output, the
    output and the inputs as Tensors, and the attributes it names. With several outputs g and y are
    tuples; what is absent is `None`. It returns one gradient or `None` per input, each a Tensor or, if
    it costs something, a function that makes it, called only when somebody asks. A parameter whose
    name starts with `_` is not read: its array is not kept, and the rule sees its shape and dtype only.
    Broadcasting is undone by the caller.

    Args:
        name: The operator's name in ONNX.
        outputs: How many outputs the rule needs (MaxPool's Indices); they are computed while the
            tape is on, whether or not anybody asked. Defaults to 1.
    """

    def define(rule: Callable[..., Any]) -> Callable[..., Any]:
        find(name).differentiate_by(rule, outputs)
        return rule

    return define


def no_gradient(*names: str) -> None:
    """Declare that these operators have no gradient by nature: ArgMax, Equal, Shape."""
    for name in names:
        found = find(name)
        if found.rule is not None:
            raise OperatorError(f"{name} has a gradient rule and cannot be declared constant.")
        found.differentiable = False
