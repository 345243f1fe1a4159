"""Datasets: what they accept, and how they are split."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.core.errors import DataError
from trainer.data import Dataset, split

X = np.arange(12.0).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def test_inputs_become_single_precision_and_targets_int64():
    dataset = Dataset(X, Y.astype(np.uint8))
    assert (dataset.x.dtype, dataset.y.dtype, dataset.task) == (np.float32, np.int64, "classify")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.bool_])
def test_other_inputs_keep_their_dtype(dtype):
    assert Dataset(X.astype(dtype), Y).x.dtype == dtype


def test_amounts_become_columns_of_single_precision():
    dataset = Dataset(X, np.linspace(0, 1, 4))
    assert (dataset.y.dtype, dataset.y.shape, dataset.task) == (np.float32, (4, 1), "regress")


def test_foreign_byte_order_and_strides_are_made_native():
    x = Dataset(X.astype(">f4").T[:, :3].T, Y[:3]).x
    assert x.dtype.isnative
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, X[:3])


def test_arrays_cannot_be_written_through_the_dataset_but_stay_writable_for_their_owner():
    owned = X.astype(np.float32)
    dataset = Dataset(owned, Y)
    with pytest.raises(ValueError, match="read-only"):
        dataset.x[0, 0] = 1.0
    owned[0, 0] = 1.0


def test_take_keeps_order_and_names():
    dataset = Dataset(X, Y, features=("a", "b", "c"), classes=("no", "yes"), name="rows")
    part = dataset.take([2, 0])
    np.testing.assert_array_equal(part.x, X[[2, 0]])
    assert part.y.tolist() == [1, 0]
    assert (part.features, part.classes, part.name) == (("a", "b", "c"), ("no", "yes"), "rows")


def test_repr_describes_both_tasks():
    assert repr(Dataset(X, Y)) == "Dataset(data: 4 rows of float32[3], 2 classes)"
    assert repr(Dataset(X, X)) == "Dataset(data: 4 rows of float32[3], targets float32[3])"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((X, Y[:3]), r"data: 4 rows of inputs, but 3 targets\."),
        ((X[:0], Y[:0]), r"data: there are no rows; at least one is needed\."),
        ((X[:, 0], Y), r"the inputs have shape \[4\]; \[rows, features\] or more is expected\."),
        ((X.astype(str), Y), r"the inputs are <U\d+; numbers are expected\."),
        ((X, Y.astype(str)), r"the targets are <U\d+\[4\]; class indices or amounts"),
        ((X, np.int64(1)), r"the targets are int64\[\]; class indices or amounts"),
        ((X, np.array([0, -1, 0, -1])), r"the class index in row 1 is -1; it starts from 0\."),
        ((np.where(X == 7, np.nan, X), Y), r"the inputs hold nan at \[2, 1\] \(counted from 0\)"),
        ((X * 1e300, Y), r"the inputs hold inf at \[0, 1\]"),
        ((X, np.array([0.0, np.inf, 0.0, 0.0])), r"the targets hold inf at \[1\]"),
        ((X, Y, ("a", "b")), r"2 feature names for rows of shape \[3\]\."),
        ((X, Y, None, ("no",)), r"the class index 1 has no name; 1 class names were given\."),
        ((X, Y, None, ("no", "no")), r"the class names no, no are not all different\."),
        ((X, X, None, ("no", "yes")), r"the targets are amounts \(float32\)\."),
    ],
)
def test_bad_data_is_one_sentence(arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        Dataset(*arguments)


def test_sha256_follows_content_and_names_and_nothing_else():
    original = Dataset(X, Y)
    assert Dataset(X.astype(">f8"), Y.astype(np.int8), name="other").sha256 == original.sha256
    changed = X.copy()
    changed[3, 2] += 1
    others = [
        Dataset(changed, Y),
        Dataset(X, 1 - Y),
        Dataset(X.reshape(4, 3, 1), Y),
        Dataset(X.astype(np.float16), Y),
        Dataset(X, Y, classes=("no", "yes")),
        Dataset(X, Y, features=("a", "b", "c")),
    ]
    assert len({original.sha256, *(other.sha256 for other in others)}) == 7


@st.composite
def labeled_rows(draw):
    """A dataset whose only feature is the number of the row."""
    y = np.array(draw(st.lists(st.integers(0, 4), min_size=10, max_size=200)))
    return Dataset(np.arange(len(y)).reshape(-1, 1), y)


@given(labeled_rows(), st.floats(0.3, 0.7), st.integers(0, 2**32), st.booleans())
def test_split_is_a_partition_that_can_be_repeated(dataset, holdout, seed, stratified):
    train, held_out = split(dataset, holdout, seed, stratified)
    rows = [part.x.ravel().tolist() for part in (train, held_out)]
    assert sorted(rows[0] + rows[1]) == list(range(len(dataset)))
    assert all(part == sorted(part) for part in rows)
    np.testing.assert_array_equal(held_out.y, dataset.y[rows[1]])
    again = split(dataset, holdout, seed, stratified)[1]
    np.testing.assert_array_equal(again.x, held_out.x)


@given(labeled_rows(), st.floats(0.3, 0.7), st.integers(0, 100))
def test_stratified_split_keeps_proportions(dataset, holdout, seed):
    train, held_out = split(dataset, holdout, seed)
    for index in np.unique(dataset.y):
        size, held = (dataset.y == index).sum(), (held_out.y == index).sum()
        assert abs(held - holdout * size) < 1
        assert index in train.y


@given(labeled_rows(), st.floats(0.3, 0.7))
def test_plain_split_holds_out_the_rounded_share(dataset, holdout):
    _, held_out = split(dataset, holdout, stratified=False)
    assert len(held_out) == round(holdout * len(dataset))


def test_stratified_total_is_the_rounded_share():
    dataset = Dataset(np.zeros((30, 1)), np.repeat([0, 1, 2], 10))
    train, held_out = split(dataset, holdout=0.25)
    assert (len(train), len(held_out)) == (22, 8)
    assert sorted(np.bincount(held_out.y)) == [2, 3, 3]


def test_another_seed_gives_another_split():
    dataset = Dataset(np.arange(100).reshape(-1, 1), np.zeros(100, int))
    parts = [split(dataset, seed=seed)[1].x for seed in (0, 1)]
    assert not np.array_equal(*parts)


def test_amounts_and_sequences_are_split_without_strata():
    for y in (np.linspace(0, 1, 10), np.zeros((10, 3), int)):
        train, held_out = split(Dataset(np.zeros((10, 1)), y), holdout=0.3)
        assert (len(train), len(held_out)) == (7, 3)


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.1, float("nan")])
def test_holdout_out_of_range_is_one_sentence(holdout):
    with pytest.raises(DataError, match="must be a share of the rows between 0 and 1, not"):
        split(Dataset(X, Y), holdout)


def test_too_few_rows_to_split_is_one_sentence():
    with pytest.raises(DataError, match="data: 4 rows are too few to hold out 50%"):
        split(Dataset(X, np.arange(4)), 0.5)


def test_data_and_metrics_load_without_any_engine():
    code = (
        "import sys, trainer.data, trainer.metrics;"
        "print([name for name in ('onnx', 'onnxruntime') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
