"""Tensor, and `apply`: the one place where values meet operators."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from trainer.core.dtypes import describe, is_float, onnx_code
from trainer.core.errors import CaptureError, GradientError, OperatorError
from trainer.core.indexing import read_index
from trainer.core.mode import Mode, capturing, current, location, no_grad, place, user_line
from trainer.core.node import Node, Spec
from trainer.core.op import COMPOSITES, REGISTRY, Op, find

Array = np.ndarray[Any, np.dtype[Any]]

_PLAIN = Mode(grad=False)

# Set by trainer.core.tape on import, so that `Tensor.backward` needs no import upward.
backward_hook: Callable[[Tensor], None] | None = None


def apply(name: str, *inputs: Any, outputs: int | None = None, **attrs: Any) -> Any:
    """Run an operator: eager execution, taping and capture happen here and nowhere else.

    Args:
        name: The operator's ONNX name.
        *inputs: Tensors in schema order, `None` where absent; numbers and arrays become Tensors.
        outputs: How many outputs are wanted of an operator with optional ones. Defaults to 1.
        **attrs: The attributes by their ONNX names.

    Returns:
        A Tensor, or a tuple of Tensors from an operator with several outputs.

    Raises:
        OperatorError: Inputs or attributes do not fit; the message names operator, dtypes, shapes.
    """
    op = REGISTRY.get(name)
    if op is None:
        if name in COMPOSITES:
            return COMPOSITES[name](*inputs, **attrs)
        op = find(name)
    if attrs and not attrs.keys().isdisjoint(op.inputs):
        placed, attrs = op.bind(inputs, attrs)
        return apply(name, *placed, outputs=outputs, **attrs)
    arrays: list[Array | None] = []
    linked = False
    for x in inputs:
        if type(x) is Tensor:
            arrays.append(x._data)
            if x._node is not None:
                linked = True
        elif x is None:
            arrays.append(None)
        else:
            return apply(name, *_as_tensors(op, inputs), outputs=outputs, **attrs)
    if len(arrays) > 1:
        _check_dtypes(op, arrays)
    mode = current.get() if linked else _PLAIN
    tracked = mode.grad and op.differentiable and any(map(_is_tracked, inputs))
    try:
        if op.counts_outputs:
            wanted = max(outputs or 1, op.rule_outputs) if tracked else outputs or 1
            result = op.kernel(*arrays, outputs=wanted, **attrs)
        else:
            result = op.kernel(*arrays, **attrs)
    except (CaptureError, GradientError):
        raise
    except Exception as error:
        raise _failure(op, arrays, attrs, error) from error
    if not (tracked or mode.capture or op.several):
        return wrap(result if type(result) is np.ndarray else np.asarray(result))
    results = tuple([np.asarray(y) for y in (result if op.several else (result,))])
    node = None
    if tracked or mode.capture:
        node = _record(op, inputs, arrays, results, attrs, tracked, mode)
    if not op.several or (op.counts_outputs and (outputs or 1) == 1):
        return wrap(results[0], node)
    kept = results[:outputs] if op.counts_outputs else results
    return tuple([wrap(y, node, index) for index, y in enumerate(kept)])


def source(x: Tensor | None) -> tuple[Node, int] | None:
    """The node that a Tensor is an output of, and which; `None` for what nobody records."""
    return None if x is None or x._node is None else (x._node, x._index)


def _is_tracked(x: Tensor | None) -> bool:
    return x is not None and x._node is not None and x._node.tracked


def _record(
    op: Op,
    inputs: tuple[Tensor | None, ...],
    arrays: list[Array | None],
    results: tuple[Array, ...],
    attrs: dict[str, Any],
    tracked: bool,
    mode: Mode,
) -> Node:
    parents = [source(x) for x in inputs]
    return Node(
        op,
        tuple(parents),
        tuple(
            [
                a
                if a is None
                or (tracked and op.keeps(i))
                or (mode.capture and parents[i] is None)  # a constant of the graph
                else Spec(a.shape, a.dtype)
                for i, a in enumerate(arrays)
            ]
        ),
        results if tracked and op.kept_output else tuple([Spec(y.shape, y.dtype) for y in results]),
        attrs,
        tracked,
        place() if mode.places else None,
    )


def _check_dtypes(op: Op, arrays: list[Array | None]) -> None:
    """Inputs that share a type variable of the schema share a dtype."""
    if len(arrays) == 2 and op.uniform:
        a, b = arrays
        if a is None or b is None or a.dtype is b.dtype:
            return
    seen: dict[str, np.dtype[Any]] = {}
    for i, a in enumerate(arrays):
        if a is not None:
            first = seen.setdefault(op.type_of(i), a.dtype)
            if a.dtype is not first and a.dtype != first:
                raise OperatorError(
                    f"{op.name}({', '.join(map(describe, arrays))}): {first} and {a.dtype} do not mix. "
                    "Two Tensors never promote; cast one of them."
                )


def _failure(
    op: Op, arrays: list[Array | None], attrs: dict[str, Any], error: Exception
) -> OperatorError:
    given = ", ".join([*map(describe, arrays), *(f"{key}={attrs[key]!r}" for key in attrs)])
    reason = str(error).rstrip(".") or type(error).__name__
    if "could not be broadcast" in reason:
        reason = "the shapes do not broadcast"
    elif isinstance(error, TypeError) and "argument" in reason:
        attributes = ", ".join(op.defaults) or "none"
        reason = f"{reason.split('() ')[-1]}; its attributes are: {attributes}"
    return OperatorError(f"{op.name}({given}): {reason}.")


def _as_tensors(op: Op, inputs: tuple[Any, ...]) -> list[Tensor | None]:
    """Numbers take the dtype of the Tensor beside them; arrays become Tensors as they are."""
    beside: dict[str, np.dtype[Any]] = {}
    for i, x in enumerate(inputs):
        if hasattr(x, "dtype") and not isinstance(x, float):
            beside.setdefault(op.type_of(i), x.dtype)
    return [
        None if x is None else as_tensor(x, beside.get(op.type_of(i)), op.name)
        for i, x in enumerate(inputs)
    ]


def as_tensor(value: Any, beside: Any = None, operator: str = "as_tensor") -> Tensor:
    """A Tensor from a Tensor, an array (not copied), a number or a list.

    Args:
        value: What becomes a Tensor.
        beside: The dtype of the Tensor next to a plain number, which the number takes.
        operator: The name that an error starts with.

    Raises:
        OperatorError: A float beside an integer Tensor: 0.5 must not become 0.
    """
    if isinstance(value, Tensor):
        return value
    number = isinstance(value, bool | int | float)  # np.float64 is a float, too
    if isinstance(value, np.ndarray | np.generic) and not number:
        array = np.asarray(value)
        return wrap(array.astype(object) if array.dtype.kind == "U" else array)
    if beside is None or not number:
        return Tensor(value)
    if isinstance(value, float) and not is_float(beside):
        raise OperatorError(
            f"{operator}: the number {value!r} does not fit beside a Tensor of {beside}; "
            "cast the Tensor to a floating point dtype first."
        )
    return wrap(np.asarray(value, dtype=beside))


def wrap(array: Array, node: Node | None = None, index: int = 0) -> Tensor:
    """A Tensor around an array that nobody changes any more, without a copy."""
    tensor = Tensor.__new__(Tensor)
    tensor._data, tensor._node, tensor._index, tensor.grad = array, node, index, None
    return tensor


class Tensor:
    """A value: an array that knows which operator made it. Nothing changes in place.

    Example:
        >>> x = Tensor([[1.0, 2.0]], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([[2., 4.]])

    Args:
        data: Anything numpy reads; it is copied. Python floats become float32.
        dtype: A numpy dtype or its name. Defaults to that of `data`.
        requires_grad: Whether operators on it are recorded for gradients. Defaults to False.

    Raises:
        GradientError: A gradient is required of something other than floating point numbers.
    """

    __slots__ = ("__weakref__", "_data", "_index", "_node", "grad")
    __array_ufunc__ = None
    __hash__ = object.__hash__

    _data: Array
    _node: Node | None
    _index: int
    grad: Tensor | None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        given = data.numpy() if isinstance(data, Tensor) else data
        array = np.array(given, dtype=dtype, order="C")
        if dtype is None and array.dtype == np.float64 and not hasattr(given, "dtype"):
            array = array.astype(np.float32)
        if array.dtype.kind == "U":
            array = array.astype(object)
        if requires_grad and not is_float(array.dtype):
            raise GradientError(
                f"A gradient is required of {describe(array)}; only floating point numbers have one."
            )
        self._data, self._index, self.grad = array, 0, None
        self._node = Node(tensor=weakref.ref(self)) if requires_grad else None

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The element type."""
        return self._data.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether operators on it are recorded for gradients."""
        return self._node is not None and self._node.tracked

    def __repr__(self) -> str:
        body = np.array2string(self._data, separator=", ", prefix="Tensor(", threshold=20)
        extra = "" if self.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        return f"Tensor({body}{extra})"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("A Tensor without dimensions has no length.")
        return self.shape[0]

    # Ways out: each refuses while capturing, for then a value must not decide what the graph is.

    def numpy(self) -> Array:
        """The values as a read-only array that shares memory."""
        self._refuse_while_capturing("the values")
        view = self._data.view()
        view.flags.writeable = False
        return view

    @property
    def data(self) -> Array:
        """The values as a read-only array that shares memory."""
        return self.numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype) if copy or dtype else self.numpy()

    def item(self) -> Any:
        """The only element as a Python number."""
        self._refuse_while_capturing("the value")
        if self.size != 1:
            raise OperatorError(f"item() wants one element; this is {describe(self)}.")
        return self._data.item()

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        return self.numpy().tolist()

    def __bool__(self) -> bool:
        self._refuse_while_capturing("the truth")
        return bool(self._data)

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        self._refuse_while_capturing("the value")
        return self._data.__index__()

    def _refuse_while_capturing(self, what: str) -> None:
        if self._node is not None and capturing():
            raise CaptureError(
                f"{location(user_line())}: {what} of a {describe(self)} Tensor was read while capturing. "
                "It depends on an input, so the graph would hold for this one input only. "
                "Say it in operators (where, clip ...), or run the function eagerly."
            )

    # Gradients.

    def detach(self) -> Tensor:
        """The same values; no gradient flows back from them."""
        with no_grad():
            return apply("Identity", self) if capturing() else wrap(self._data)

    def backward(self) -> None:
        """Add the gradient of this scalar to the `.grad` of every Tensor that requires one.

        Raises:
            GradientError: It is no scalar, or nothing it depends on requires a gradient.
        """
        assert backward_hook is not None
        backward_hook(self)

    # Python's operators.

    def __add__(self, other: Any) -> Tensor:
        return apply("Add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return apply("Add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return apply("Sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return apply("Sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return apply("Mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return apply("Mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return apply("Div", self._dividend(), other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return apply("Div", other, self._dividend())

    def _dividend(self) -> Tensor:
        if not is_float(self.dtype):
            raise OperatorError(
                f"/ of {describe(self)}: integers do not divide into fractions; "
                "use // for whole numbers, or cast to a floating point dtype."
            )
        return self

    def __floordiv__(self, other: Any) -> Tensor:
        other = as_tensor(other, self.dtype, "//")
        if is_float(self.dtype):
            return apply("Floor", apply("Div", self, other))
        return apply("Div", self - self % other, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return as_tensor(other, self.dtype, "//") // self

    def __mod__(self, other: Any) -> Tensor:
        if not is_float(self.dtype):
            return apply("Mod", self, other)
        return self - self // other * other

    def __rmod__(self, other: Any) -> Tensor:
        return as_tensor(other, self.dtype, "%") % self

    def __pow__(self, other: Any) -> Tensor:
        return apply("Pow", self, as_tensor(other, self.dtype, "**"))

    def __rpow__(self, other: Any) -> Tensor:
        return apply("Pow", as_tensor(other, self.dtype, "**"), self)

    def __matmul__(self, other: Any) -> Tensor:
        return apply("MatMul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return apply("MatMul", other, self)

    def __neg__(self) -> Tensor:
        return apply("Neg", self)

    def __abs__(self) -> Tensor:
        return apply("Abs", self)

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return apply("Equal", self, other)

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return apply("Not", apply("Equal", self, other))

    def __lt__(self, other: Any) -> Tensor:
        return apply("Less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return apply("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return apply("Greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return apply("GreaterOrEqual", self, other)

    def __and__(self, other: Any) -> Tensor:
        return apply("And" if self.dtype == np.bool_ else "BitwiseAnd", self, other)

    def __or__(self, other: Any) -> Tensor:
        return apply("Or" if self.dtype == np.bool_ else "BitwiseOr", self, other)

    def __xor__(self, other: Any) -> Tensor:
        return apply("Xor" if self.dtype == np.bool_ else "BitwiseXor", self, other)

    def __invert__(self) -> Tensor:
        return apply("Not" if self.dtype == np.bool_ else "BitwiseNot", self)

    # Indexing.

    def __getitem__(self, key: Any) -> Tensor:
        items = key if isinstance(key, tuple) else (key,)
        key = tuple(as_tensor(np.asarray(k)) if isinstance(k, list) else k for k in items)
        plan = read_index(key, self.ndim, lambda item: isinstance(item, Tensor | np.ndarray))
        result = self
        for call in plan.calls:
            result = apply(call.name, result, *call.inputs, **call.attrs)
        if not plan.gathers:
            return result
        gathers = {axis: as_tensor(index) for axis, index in plan.gathers.items()}
        return _gather(result, gathers)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise OperatorError(
            "A Tensor does not change in place. Instead of x[i] = v write "
            "x = where(mask, v, x), or x = scatter_nd(x, indices, v)."
        )

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    # Shapes.

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return apply("Reshape", self, sizes if isinstance(sizes, Tensor) else _int64(sizes))

    def permute(self, *axes: int) -> Tensor:
        """The axes in another order."""
        return apply("Transpose", self, perm=list(axes))

    def transpose(self, first: int, second: int) -> Tensor:
        """Two axes exchanged."""
        perm = list(range(self.ndim))
        perm[first], perm[second] = perm[second], perm[first]
        return apply("Transpose", self, perm=perm)

    @property
    def T(self) -> Tensor:
        """The axes in reverse order."""
        return apply("Transpose", self)

    def unsqueeze(self, axis: int) -> Tensor:
        """One more axis of size 1, at `axis`."""
        return apply("Unsqueeze", self, _int64([axis]))

    def squeeze(self, axis: int) -> Tensor:
        """Without the axis `axis`, whose size is 1."""
        return apply("Squeeze", self, _int64([axis]))

    def cast(self, dtype: Any) -> Tensor:
        """The values as another dtype."""
        return apply("Cast", self, to=onnx_code(dtype))

    # Reductions: over all axes unless told otherwise.

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The sum over `axis` (an int, several, or None for all)."""
        return self._reduce("ReduceSum", axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The mean over `axis` (an int, several, or None for all)."""
        return self._reduce("ReduceMean", axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The largest over `axis` (an int, several, or None for all)."""
        return self._reduce("ReduceMax", axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The smallest over `axis` (an int, several, or None for all)."""
        return self._reduce("ReduceMin", axis, keepdims)

    def argmax(self, axis: int, keepdims: bool = False) -> Tensor:
        """Where the largest along `axis` stands (the first of equals)."""
        return apply("ArgMax", self, axis=axis, keepdims=int(keepdims))

    def _reduce(self, name: str, axis: Any, keepdims: bool) -> Tensor:
        axes = None if axis is None else _int64([axis] if isinstance(axis, int) else axis)
        return apply(name, self, axes, keepdims=int(keepdims))

    # Functions.

    def exp(self) -> Tensor:
        """The exponential of each element."""
        return apply("Exp", self)

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return apply("Log", self)

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return apply("Sqrt", self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return apply("Tanh", self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)) of each element."""
        return apply("Sigmoid", self)

    def relu(self) -> Tensor:
        """The larger of each element and 0."""
        return apply("Relu", self)


def _int64(values: Any) -> Tensor:
    return wrap(np.asarray(values, np.int64))


def _gather(x: Tensor, gathers: dict[int, Tensor]) -> Tensor:
    """Index arrays as in numpy: broadcast together, and left in place where the axes are adjacent."""
    axes, indices = list(gathers), list(gathers.values())
    if len(axes) == 1 and indices[0].dtype != np.bool_:
        return apply("Gather", x, indices[0], axis=axes[0])
    if len(axes) == 1 and indices[0].ndim == 1:
        return apply("Compress", x, indices[0], axis=axes[0])
    where: list[tuple[int, Tensor]] = []
    for axis, index in gathers.items():
        if index.dtype == np.bool_:
            rows = apply("NonZero", index)
            where += [(axis + k, rows[k]) for k in range(index.ndim)]
        else:
            where.append((axis, index.cast(np.int64)))
    axes = [axis for axis, _ in where]
    shared = where[0][1]
    for _, index in where[1:]:
        shared = shared + index * 0
    columns = [(index + shared * 0).unsqueeze(-1) for _, index in where]
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    result = apply(
        "GatherND",
        apply("Transpose", x, perm=axes + rest),
        apply("Concat", *columns, axis=-1),
    )
    adjacent = axes == list(range(axes[0], axes[-1] + 1))
    if not adjacent or axes[0] == 0:
        return result
    front = list(range(shared.ndim))
    before = [shared.ndim + k for k in range(axes[0])]
    after = [shared.ndim + k for k in range(axes[0], len(rest))]
    return apply("Transpose", result, perm=before + front + after)
