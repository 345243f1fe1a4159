"""Any equation against numpy's own summation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.core.errors import OperatorError
from trainer.core.tensor import apply

SIZES = {"a": 2, "b": 3, "c": 1, "d": 4}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3), st.booleans(), st.data())
def test_any_equation_is_that_of_numpy(
    terms: list[str], explicit: bool, data: st.DataObject
) -> None:
    letters = sorted(set("".join(terms)))
    equation = ",".join(terms)
    if explicit:
        result = data.draw(st.lists(st.sampled_from(letters), unique=True)) if letters else []
        equation += "->" + "".join(result)
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal([SIZES[letter] for letter in term]) for term in terms]
    y = apply("Einsum", *inputs, equation=equation)
    wanted = np.einsum(equation, *inputs)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-10, atol=1e-10)
    assert y.shape == np.shape(wanted)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...a,a...->...", [(4, 3, 2), (2, 3)]),
        ("...,...", [(3, 1), (2,)]),
        ("a...,...b", [(2, 3), (3, 4)]),
        ("...a->a...", [(2, 3, 4)]),
        ("...", [(2, 3)]),
        ("a...b->...", [(2, 5, 3)]),
    ],
)
def test_ellipsis_is_that_of_numpy(equation: str, shapes: list[tuple[int, ...]]) -> None:
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal(shape) for shape in shapes]
    y = apply("Einsum", *inputs, equation=equation)
    np.testing.assert_allclose(y.numpy(), np.einsum(equation, *inputs), rtol=1e-12, strict=True)


@pytest.mark.parametrize(
    ("equation", "shapes", "reason"),
    [
        ("ij,jk->ik", [(2, 3)], "describes 2 inputs, not 1"),
        ("ijk->i", [(2, 3)], "'ijk' does not describe 2 axes"),
        ("i->i", [(2, 3)], "'i' does not describe 2 axes"),
        ("ij,jk->ik", [(2, 3), (4, 2)], "the axis j has the sizes 3 and 4"),
        ("ij->ik", [(2, 3)], "k"),
    ],
)
def test_an_equation_that_does_not_fit_is_explained(
    equation: str, shapes: list[tuple[int, ...]], reason: str
) -> None:
    with pytest.raises(OperatorError, match=reason):
        apply("Einsum", *[np.zeros(shape) for shape in shapes], equation=equation)
