"""Golden examples: how they are cut, and what counts as the same answer."""

import re

import numpy as np
import pytest

from serve import golden
from serve.manifest import Tolerance
from serve.tensors import TensorSpec

A = np.array([[1.0, 2.0], [4.0, 3.0]], np.float32)


@pytest.mark.parametrize(
    ("given", "tolerance", "reason"),
    [
        (A, Tolerance(), ""),
        (A * 1.0005, Tolerance(), ""),
        (A * 1.01, Tolerance(), "largest error is 0.04"),
        (A * 1.01, Tolerance(rtol=0.02), ""),
        (A + 0.3, Tolerance(atol=0.5), ""),
        (A * 5, Tolerance(compare="argmax"), ""),
        (A[:, ::-1], Tolerance(compare="argmax"), "2 of 2 examples have another largest entry"),
        (A * 100, Tolerance(compare="none"), ""),
        (A[:1], Tolerance(), r"shape \(1, 2\) instead of \(2, 2\)"),
        (A * np.float32(np.inf), Tolerance(), "largest error is inf"),
        (np.where(A > 3, np.nan, A), Tolerance(), "largest error is nan"),
    ],
)
def test_compare(given: np.ndarray, tolerance: Tolerance, reason: str) -> None:
    found = golden.compare(given, A, tolerance)
    assert re.search(reason, found) if reason else not found


def test_not_a_number_agrees_with_itself() -> None:
    array = np.array([np.nan, np.inf])
    assert golden.compare(array, array, Tolerance()) == ""


def test_text_and_integers_must_be_equal() -> None:
    assert golden.compare(np.array(["a", "b"], object), np.array(["a", "b"]), Tolerance()) == ""
    assert "1 of 2 entries" in golden.compare(
        np.array(["a", "c"], object), np.array(["a", "b"]), Tolerance()
    )


def cuts(array: np.ndarray, *shape: int | str) -> list[int]:
    spec = TensorSpec("x", "tensor(float)", shape)
    return [len(feeds["x"]) for _, feeds in golden.batches({"x": array}, (spec,))]


def test_examples_go_together_where_the_model_takes_any_number() -> None:
    assert cuts(np.zeros((5, 2)), "batch", 2) == [5]


def test_examples_go_in_the_model_s_own_batches_where_it_has_one() -> None:
    assert cuts(np.zeros((4, 2)), 1, 2) == [1, 1, 1, 1]
    assert cuts(np.zeros((4, 2)), 2, 2) == [2, 2]
    assert cuts(np.zeros((4, 2)), 4, 2) == [4]


def test_the_reason_names_the_output() -> None:
    spec = TensorSpec("x", "tensor(float)", ("n", 2))

    def double(feeds: golden.Arrays) -> golden.Arrays:
        return {"y": feeds["x"] * 2}

    assert golden.replay(double, ({"x": A}, {"y": 2 * A}), (spec,), {}) == ""
    assert "output 'y': the largest error is 4" in golden.replay(
        double, ({"x": A}, {"y": A}), (spec,), {}
    )
    assert "'z' is not an output" in golden.replay(double, ({"x": A}, {"z": A}), (spec,), {})
