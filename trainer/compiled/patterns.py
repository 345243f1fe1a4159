"""Patterns of training graphs that can be written with fewer or cheaper operators.

A pattern looks at one equation and what feeds it, and returns the equations that take its place. What
is not read any more afterwards is dropped as dead code. None changes a value by more than rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from trainer.compiled.facts import Facts
from trainer.core.dtypes import onnx_code
from trainer.core.graph import Equation, Graph
from trainer.core.tensor import Array


class Written(NamedTuple):
    """What takes an equation's place, and the constants that it needs."""

    equations: tuple[Equation, ...]
    constants: Mapping[str, Array] = {}


Pattern = Callable[[Facts, Equation], Written | Equation | None]
PATTERNS: list[Callable[[Graph], Graph]] = []

_FEW = 1024  # elements: operators on fewer cost the same whatever they compute


def _pattern(rule: Pattern) -> Callable[[Graph], Graph]:
    """A pass that applies the pattern wherever it fits."""

    @functools.wraps(rule)
    def one_pass(graph: Graph) -> Graph:
        facts = Facts(graph)
        equations: list[Equation] = []
        constants = dict(graph.constants)
        for equation in graph.equations:
            found = rule(facts, equation)
            written = found if isinstance(found, Written) else Written((found or equation,))
            equations += written.equations
            constants |= written.constants
        return replace(graph, equations=tuple(equations), constants=constants)

    PATTERNS.append(one_pass)
    return one_pass


@_pattern
def reduce_without_axes(facts: Facts, equation: Equation) -> Equation | None:
    """Squeeze(ReduceSum(x, axes, keepdims=1), axes) is ReduceSum(x, axes, keepdims=0)."""
    if equation.op != "Squeeze" or len(equation.inputs) < 2:
        return None
    reduction = facts.maker(equation.inputs[0], "ReduceSum", "ReduceMean", "ReduceMax")
    axes = facts.constant(equation.inputs[1])
    if reduction is None or len(reduction.inputs) < 2 or not reduction.attrs.get("keepdims", 1):
        return None
    reduced = facts.constant(reduction.inputs[1])
    if axes is None or reduced is None or not np.array_equal(axes, reduced):
        return None
    attrs = {**reduction.attrs, "keepdims": 0}
    return replace(reduction, outputs=equation.outputs, attrs=attrs)


def _reduces_everything(equation: Equation) -> bool:
    """Whether it is the sum or the mean of all elements, as a scalar."""
    plain = not equation.attrs.get("keepdims", 1) and not equation.attrs.get("noop_with_empty_axes")
    return equation.op in ("ReduceSum", "ReduceMean") and len(equation.inputs) == 1 and plain


@_pattern
def reduce_the_original(facts: Facts, equation: Equation) -> Equation | None:
    """The sum or mean of all elements does not need them squeezed or reshaped before."""
    if not _reduces_everything(equation):
        return None
    shaping = facts.maker(equation.inputs[0], "Squeeze", "Unsqueeze", "Reshape")
    return shaping and replace(equation, inputs=(shaping.inputs[0],))


@_pattern
def negate_the_mean(facts: Facts, equation: Equation) -> Written | None:
    """The mean of all elements of -x is minus the mean of x: one number is negated instead of many."""
    if not _reduces_everything(equation):
        return None
    negative = facts.maker(equation.inputs[0], "Neg")
    if negative is None or facts.readers[negative.outputs[0]] > 1:
        return None
    name = f"{equation.outputs[0]}.positive"
    mean = replace(equation, inputs=negative.inputs, outputs=(name,))
    return Written((mean, replace(negative, inputs=(name,), outputs=equation.outputs)))


@_pattern
def negate_the_constant(facts: Facts, equation: Equation) -> Written | None:
    """-(x * c) is x * (-c) for a constant c."""
    product = facts.maker(equation.inputs[0], "Mul") if equation.op == "Neg" else None
    factor = None if product is None else facts.constant(product.inputs[1])
    if product is None or factor is None or facts.readers[product.outputs[0]] > 1:
        return None
    name = f"{equation.outputs[0]}.factor"
    negative = replace(product, inputs=(product.inputs[0], name), outputs=equation.outputs)
    return Written((negative,), {name: np.negative(factor)})


@_pattern
def transpose_inside_gemm(facts: Facts, equation: Equation) -> Equation | None:
    """Gemm reads a transposed matrix by transA or transB, and so does a MatMul of matrices."""
    if equation.op not in ("Gemm", "MatMul") or facts.rank(equation.outputs[0]) != 2:
        return None
    dtype = facts.dtype(equation.outputs[0])
    if dtype is None or dtype.kind != "f":  # ONNX Runtime multiplies integers by MatMul only
        return None
    inputs, attrs = list(equation.inputs), dict(equation.attrs)
    for place, attribute in enumerate(("transA", "transB")):
        transpose = facts.maker(inputs[place], "Transpose")
        if transpose is not None and facts.rank(inputs[place]) == 2:
            inputs[place] = transpose.inputs[0]
            attrs[attribute] = 1 - attrs.get(attribute, 0)
    if tuple(inputs) == equation.inputs:
        return None
    return replace(equation, op="Gemm", inputs=tuple(inputs), attrs=attrs)


@_pattern
def sum_of_scattered(facts: Facts, equation: Equation) -> Equation | None:
    """What was scattered into zeros along an axis sums to what was scattered."""
    if equation.op != "ReduceSum" or len(equation.inputs) < 2:
        return None
    scatter = facts.maker(equation.inputs[0], "ScatterElements")
    axes = facts.constant(equation.inputs[1])
    if scatter is None or scatter.attrs.get("reduction") != "add" or axes is None:
        return None
    updates = scatter.inputs[2]
    along = axes.tolist() == [scatter.attrs.get("axis", 0)]
    same = facts.shape(updates) is not None and facts.shape(updates) == facts.shape(
        equation.outputs[0]
    )
    if not along or not same or not facts.is_filled(scatter.inputs[0], 0):
        return None
    return Equation("Identity", (updates,), equation.outputs, line=equation.line)


@_pattern
def scatter_into_the_difference(facts: Facts, equation: Equation) -> Written | None:
    """(zeros with u added at some places) - x is -x with u added there.

    With `sum_of_scattered` the gradient of softmax cross-entropy is (softmax - onehot) / n in three
    operators.
    """
    scatter = facts.maker(equation.inputs[0], "ScatterElements") if equation.op == "Sub" else None
    if scatter is None or scatter.attrs.get("reduction") != "add":
        return None
    data, indices, updates = scatter.inputs
    shape = facts.shape(data)
    fits = shape is not None and shape == facts.shape(equation.inputs[1])
    if not fits or not facts.is_filled(data, 0):
        return None
    name = f"{equation.outputs[0]}.negative"
    negative = Equation("Neg", (equation.inputs[1],), (name,), line=equation.line)
    added = replace(scatter, inputs=(name, indices, updates), outputs=equation.outputs)
    return Written((negative, added))


def _scaled(facts: Facts, name: str) -> tuple[str, float] | None:
    """What a value is a multiple of, and the constant number that it is multiplied by; no integers."""
    product = facts.maker(name, "Mul")
    factor = None if product is None else facts.constant(product.inputs[1])
    if product is None or factor is None or factor.dtype.kind != "f":
        return None
    if not factor.size or not (factor == factor.flat[0]).all():
        return None
    source = product.inputs[0]
    shape = facts.shape(source)
    same = shape is not None and shape == np.broadcast_shapes(shape, factor.shape)
    return (source, float(factor.flat[0])) if same or not factor.ndim else None


@_pattern
def scale_after_scattering(facts: Facts, equation: Equation) -> Written | None:
    """Where constants u are added to parts of x c, u / c are added to x and all is multiplied by c."""
    if equation.op != "ScatterElements" or equation.attrs.get("reduction") != "add":
        return None
    data, indices, updates = equation.inputs
    scaled, added = _scaled(facts, data), facts.constant(updates)
    if scaled is None or added is None or not scaled[1] or facts.readers[data] > 1:
        return None
    name, (source, factor) = equation.outputs[0], scaled
    unscaled, number, share = f"{name}.unscaled", f"{name}.factor", f"{name}.share"
    factors = {number: np.array(factor, added.dtype)}
    with np.errstate(over="ignore"):
        shares = added / factors[number]
    if not np.isfinite(shares).all():
        return None
    return Written(
        (
            replace(equation, inputs=(source, indices, share), outputs=(unscaled,)),
            Equation("Mul", (unscaled, number), (name,), line=equation.line),
        ),
        {share: shares, **factors},
    )


@_pattern
def scale_inside_product(facts: Facts, equation: Equation) -> Written | None:
    """A product with x c is one with x: c becomes Gemm's alpha, or goes into a constant matrix."""
    if equation.op not in ("Gemm", "MatMul"):
        return None
    for place, other in ((0, 1), (1, 0)):
        scaled, fixed = (
            _scaled(facts, equation.inputs[place]),
            facts.constant(equation.inputs[other]),
        )
        if scaled is None:
            continue
        source, factor = scaled
        inputs = list(equation.inputs)
        inputs[place] = source
        if equation.op == "Gemm" and factor == float(np.float32(factor)):  # as attributes are
            alpha = equation.attrs.get("alpha", 1.0) * factor
            attrs = {**equation.attrs, "alpha": alpha}
            return Written((replace(equation, inputs=tuple(inputs), attrs=attrs),))
        if equation.op == "MatMul" and fixed is not None:
            inputs[other] = f"{equation.outputs[0]}.scaled"
            matrix = (fixed * factor).astype(fixed.dtype)
            return Written((replace(equation, inputs=tuple(inputs)),), {inputs[other]: matrix})
    return None


@_pattern
def positive_part_as_mask(facts: Facts, equation: Equation) -> Equation | None:
    """relu(x) > 0 is a cast to bool, which takes ONNX Runtime half the time of a comparison.

    That mask is cast to numbers and multiplied with: Where takes it 1.3 times as long.
    """
    if equation.op != "Greater" or not facts.is_filled(equation.inputs[1], 0):
        return None
    if facts.maker(equation.inputs[0], "Relu") is None:
        return None
    attrs = {"to": onnx_code(np.bool_)}
    return Equation("Cast", equation.inputs[:1], equation.outputs, attrs, line=equation.line)


@_pattern
def sum_of_rows_as_product(facts: Facts, equation: Equation) -> Written | None:
    """The sum over the first axis is a product with a row of ones.

    ONNX Runtime multiplies with all threads and adds rows with one: for 128 rows of 128 numbers 2.5
    instead of 5.8 microseconds, for 32 of 36,864 it is 36 instead of 492.
    """
    if equation.op != "ReduceSum" or len(equation.inputs) < 2:
        return None
    axes, shape = facts.constant(equation.inputs[1]), facts.shape(equation.inputs[0])
    dtype, result = facts.dtype(equation.inputs[0]), facts.shape(equation.outputs[0])
    if axes is None or axes.tolist() != [0] or dtype is None or dtype.kind != "f":
        return None
    if shape is None or len(shape) < 2 or result is None or dtype.itemsize < 4:
        return None
    x, name = equation.inputs[0], equation.outputs[0]
    ones, flat, total = f"{name}.ones", f"{name}.flat", f"{name}.total"
    constants = {ones: np.ones(shape[0], dtype)}
    if len(shape) == 2 and len(result) == 1:
        return Written((Equation("MatMul", (ones, x), (name,), line=equation.line),), constants)
    constants[f"{flat}.shape"] = np.array([shape[0], prod(shape[1:])], np.int64)
    constants[f"{name}.shape"] = np.array(result, np.int64)
    return Written(
        (
            Equation("Reshape", (x, f"{flat}.shape"), (flat,), line=equation.line),
            Equation("MatMul", (ones, flat), (total,), line=equation.line),
            Equation("Reshape", (total, f"{name}.shape"), (name,), line=equation.line),
        ),
        constants,
    )


@_pattern
def broadcast_without_copy(facts: Facts, equation: Equation) -> Equation | None:
    """An element-wise operator broadcasts by itself what was expanded to the shape of its result."""
    if equation.op not in ("Add", "Sub", "Mul", "Div"):
        return None
    shapes = [facts.shape(name) for name in equation.inputs]
    if shapes[0] is None or shapes[0] != shapes[1]:
        return None
    for place, other in ((0, 1), (1, 0)):
        expand = facts.maker(equation.inputs[place], "Expand")
        if expand is not None and facts.maker(equation.inputs[other], "Expand") is None:
            inputs = list(equation.inputs)
            inputs[place] = expand.inputs[0]
            return replace(equation, inputs=tuple(inputs))
    return None


@_pattern
def add_twice(facts: Facts, equation: Equation) -> Written | None:
    """(x + s y) + s y is x + (2 s) y, for s of fewer elements than y: the gradient of y y / 2."""
    first = facts.maker(equation.inputs[0], "Add") if equation.op == "Add" else None
    term = None if first is None else facts.maker(equation.inputs[1], "Mul")
    if first is None or term is None or first.inputs[1] != equation.inputs[1]:
        return None
    if facts.readers[first.outputs[0]] > 1 or facts.readers[term.outputs[0]] > 2:
        return None
    sizes = [prod(facts.shape(name) or (0,)) for name in term.inputs]
    small = 0 if sizes[0] < sizes[1] else 1
    dtype = facts.dtype(term.inputs[small])
    if dtype is None or not 0 < sizes[small] < sizes[1 - small]:
        return None
    name = equation.outputs[0]
    two, doubled, product = f"{name}.two", f"{name}.doubled", f"{name}.product"
    return Written(
        (
            Equation("Mul", (term.inputs[small], two), (doubled,), line=equation.line),
            Equation("Mul", (doubled, term.inputs[1 - small]), (product,), line=equation.line),
            replace(equation, inputs=(first.inputs[0], product)),
        ),
        {two: np.array(2, dtype)},
    )


@_pattern
def negate_the_sum(facts: Facts, equation: Equation) -> Written | None:
    """The sum over axes of -x is minus the sum of x: fewer numbers are negated."""
    if equation.op != "ReduceSum" or len(equation.inputs) < 2:
        return None
    negative = facts.maker(equation.inputs[0], "Neg")
    if negative is None or facts.readers[negative.outputs[0]] > 1:
        return None
    name = f"{equation.outputs[0]}.positive"
    total = replace(equation, inputs=(negative.inputs[0], equation.inputs[1]), outputs=(name,))
    return Written((total, replace(negative, inputs=(name,), outputs=equation.outputs)))


@_pattern
def power_by_an_integer(facts: Facts, equation: Equation) -> Equation | None:
    """Pow takes an integer exponent beside a floating-point base: the step's number needs no Cast."""
    cast = facts.maker(equation.inputs[1], "Cast") if equation.op == "Pow" else None
    if cast is None or facts.dtype(cast.inputs[0]) != np.int64:
        return None
    return replace(equation, inputs=(equation.inputs[0], cast.inputs[0]))


@_pattern
def small_mask_as_sign(facts: Facts, equation: Equation) -> Equation | None:
    """The mask of a small ReLU is its sign: one operator instead of two Casts, which are faster on many."""
    as_number = equation.op == "Cast" and facts.dtype(equation.outputs[0]) == np.float32
    as_bool = facts.maker(equation.inputs[0], "Cast") if as_number else None
    if as_bool is None or facts.dtype(as_bool.outputs[0]) != np.bool_:
        return None
    shape = facts.shape(as_bool.inputs[0])
    if facts.maker(as_bool.inputs[0], "Relu") is None or shape is None or prod(shape) > _FEW:
        return None
    return Equation("Sign", as_bool.inputs, equation.outputs, line=equation.line)
