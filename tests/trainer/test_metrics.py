"""Metrics against values worked out by hand and against PyTorch."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer.core.errors import DataError
from trainer.metrics import (
    METRICS,
    accuracy,
    confusion,
    mean_absolute_error,
    mean_squared_error,
    r2,
)

torch = oracle("torch")

SCORES = np.array([[2.0, 1.0, 0.0], [0.1, 0.2, 0.7], [0.0, 3.0, 1.0], [5.0, 1.0, 2.0]], np.float32)
RNG = np.random.default_rng(0)


def test_accuracy_by_hand():
    assert accuracy(SCORES, np.array([0, 2, 1, 1])) == 0.75


def test_accuracy_counts_the_first_of_equal_scores():
    assert accuracy(np.zeros((2, 3)), np.array([0, 1])) == 0.5


def test_accuracy_of_sequences_equals_pytorch():
    scores, y = RNG.normal(size=(6, 5, 4)), RNG.integers(0, 4, (6, 5))
    expected = (torch.tensor(scores).argmax(-1) == torch.tensor(y)).double().mean().item()
    assert accuracy(scores, y) == pytest.approx(expected)


def test_confusion_by_hand():
    counts = confusion(SCORES, np.array([0, 2, 2, 1]))
    assert counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]
    assert counts.dtype == np.int64


def test_confusion_agrees_with_accuracy():
    scores, y = RNG.normal(size=(50, 4)), RNG.integers(0, 4, 50)
    counts = confusion(scores, y)
    assert counts.sum(axis=1).tolist() == np.bincount(y).tolist()
    assert np.trace(counts) / 50 == accuracy(scores, y)


def test_errors_equal_pytorch():
    prediction, y = RNG.normal(size=(2, 20, 3)).astype(np.float32)
    a, b = torch.tensor(prediction), torch.tensor(y)
    functional = torch.nn.functional
    assert mean_squared_error(prediction, y) == pytest.approx(functional.mse_loss(a, b).item())
    assert mean_absolute_error(prediction, y) == pytest.approx(functional.l1_loss(a, b).item())


def test_errors_of_whole_numbers_do_not_wrap():
    prediction, y = np.array([0, 255], np.uint8), np.array([255, 0], np.uint8)
    assert mean_absolute_error(prediction, y) == 255
    assert mean_squared_error(prediction, y) == 255**2


def test_r2_is_the_squared_correlation_of_a_least_squares_line():
    """For a line fitted with an intercept, R² is the square of Pearson's correlation."""
    x = RNG.normal(size=40)
    y = 2 * x + RNG.normal(size=40)
    fitted = np.polyval(np.polyfit(x, y, 1), x)
    assert r2(fitted, y) == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_r2_of_the_mean_is_0_and_of_the_truth_1():
    y = RNG.normal(size=(30, 2))
    assert r2(y, y) == 1
    assert r2(np.broadcast_to(y.mean(axis=0), y.shape), y) == pytest.approx(0)


def test_r2_averages_targets_and_judges_constant_ones_by_exactness():
    y = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    assert r2(y, y) == 1
    assert r2(y + np.array([0.0, 1.0]), y) == 0.5


@pytest.mark.parametrize("name", METRICS)
def test_shapes_that_do_not_fit_are_one_sentence(name):
    with pytest.raises(DataError, match=r"\[4, 3\].*\[5\]"):
        METRICS[name](SCORES, np.zeros(5, np.int64))


def test_classes_that_do_not_fit_are_one_sentence():
    with pytest.raises(
        DataError, match=r"Class indices from 0 to 3 do not fit scores for 3 classes\."
    ):
        confusion(SCORES, np.array([0, 1, 2, 3]))
    with pytest.raises(DataError, match=r"Scores float32\[4, 3\] do not fit targets float32\[4\]"):
        accuracy(SCORES, np.zeros(4, np.float32))


def test_metrics_are_found_by_the_name_of_their_function():
    assert all(function.__name__ == name for name, function in METRICS.items())
