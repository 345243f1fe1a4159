"""Einstein's summation: products of Tensors summed over the axes that an equation names."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from trainer.core.define import Array, T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import zeros
from trainer.ops.ieee import widened


@op("Einsum")
@widened
def einsum(*inputs: T, equation: str) -> T:
    """The sum of products that an equation describes.

    Example:
        >>> from trainer.core.tensor import Tensor
        >>> einsum(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 10.0]), equation="ij,j->i")
        Tensor([21., 43.])

    Args:
        *inputs: A Tensor for each term of the equation.
        equation: A letter per axis, terms parted by commas, `...` for axes that broadcast. The letters
            after `->` are those of the result; without it, those that occur once, in order.
    """
    terms, result = read_equation(equation, [x.ndim for x in inputs])
    _check_sizes(terms, [x.shape for x in inputs])
    y, letters = inputs[0], terms[0]
    for place, (x, term) in enumerate(zip(inputs[1:], terms[1:], strict=True), start=2):
        y, letters = _product(y, letters, x, term, set(result).union(*terms[place:]))
    return np.einsum(f"{letters}->{result}", y)


@vjp("Einsum")
def _einsum_vjp(g, _y, *inputs, equation):
    terms, result = read_equation(equation, [x.ndim for x in inputs])
    return [
        lambda place=place: _gradient(g, result, inputs, terms, place)
        for place in range(len(inputs))
    ]


def _gradient(g, result, inputs, terms, place):
    """The gradient of one input: the same sum with `g` in its place, spread over its letters."""
    shape, wanted = inputs[place].shape, ""
    others = [i for i in range(len(inputs)) if i != place]
    factors = [(result, g), *((terms[i], inputs[i]) for i in others)]
    known = set("".join(term for term, _ in factors))
    spare = iter(sorted(set(ascii_letters) - known - set(terms[place])))
    for axis, letter in enumerate(terms[place]):
        size = shape[axis]
        if letter in wanted:  # a diagonal was taken: back to it, with 0 beside
            twin = next(spare)
            factors.append((letter + twin, apply("EyeLike", zeros([size, size], g))))
            wanted += twin
            continue
        if letter not in known:  # it was summed over: the same for each
            factors.append((letter, zeros([size], g) + 1.0))
        wanted += letter
    equation = f"{','.join(term for term, _ in factors)}->{wanted}"
    return apply("Einsum", *(factor for _, factor in factors), equation=equation)


def read_equation(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each input and of the result, with letters for the axes of an ellipsis, too.

    Example:
        >>> read_equation("...ij, jk", [4, 2])
        (['YZij', 'jk'], 'YZik')

    Raises:
        ValueError: The equation does not fit the inputs.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"{equation!r} describes {len(terms)} inputs, not {len(ranks)}")
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    for term, rank, width in zip(terms, ranks, widths, strict=True):
        if width < 0 or (width and "..." not in term):
            raise ValueError(f"the term {term!r} does not describe {rank} axes")
    spare = [letter for letter in reversed(ascii_letters) if letter not in equation]
    shared = "".join(sorted(spare[: max(widths)]))
    if not arrow:
        named = left.replace("...", "").replace(",", "")
        result = "..." * ("..." in left) + "".join(
            letter for letter in sorted(set(named)) if named.count(letter) == 1
        )
    full = [
        term.replace("...", shared[len(shared) - width :])
        for term, width in zip(terms, widths, strict=True)
    ]
    return full, result.replace("...", shared)


def _check_sizes(terms: list[str], shapes: list[tuple[int, ...]]) -> None:
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            known = sizes.setdefault(letter, size)
            if 1 not in (known, size) and known != size:
                raise ValueError(f"the axis {letter} has the sizes {known} and {size}")
            sizes[letter] = max(known, size) if 0 not in (known, size) else 0


def _product(a: Array, of_a: str, b: Array, of_b: str, later: set[str]) -> tuple[Array, str]:
    """Two factors multiplied and summed over what nobody needs later: a product of matrices."""
    of_both = set(of_a) & set(of_b)
    batch = [letter for letter in dict.fromkeys(of_a) if letter in of_both & later]
    inner = [letter for letter in dict.fromkeys(of_a) if letter in of_both - later]
    rows = [letter for letter in dict.fromkeys(of_a) if letter in later - of_both]
    columns = [letter for letter in dict.fromkeys(of_b) if letter in later - of_both]
    a = np.einsum(f"{of_a}->{''.join(batch + rows + inner)}", a)
    b = np.einsum(f"{of_b}->{''.join(batch + inner + columns)}", b)
    first, second = len(batch), len(batch) + len(rows)
    third = len(batch) + len(inner)
    outside = (*a.shape[first:second], *b.shape[third:])
    left = a.reshape(*a.shape[:first], _size(a.shape[first:second]), _size(a.shape[second:]))
    right = b.reshape(*b.shape[:first], _size(b.shape[first:third]), _size(b.shape[third:]))
    y = np.matmul(left, right) if inner else left * right
    return y.reshape((*y.shape[:first], *outside)), "".join(batch + rows + columns)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))
