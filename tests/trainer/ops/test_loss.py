"""What the losses of classification refuse, and what they make of odd batches."""

import numpy as np
import pytest

from trainer.core.errors import GradientError, OperatorError
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply

LOSSES = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]
_X = Tensor(np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("target", "attrs", "reason"),
    [
        ([0, 4, 1], {}, "there is no class 4: the classes are 0 to 3"),
        ([0, -1, 1], {}, "there is no class -1: the classes are 0 to 3"),
        ([0, 1], {}, "classes are expected in shape [3], not [2]"),
        ([0, 1, 2], {"reduction": "max"}, "reduction='max' is none of none, sum and mean"),
    ],
)
def test_what_does_not_fit_is_said(name: str, target: list, attrs: dict, reason: str) -> None:
    with pytest.raises(OperatorError) as error:
        apply(name, _X, np.array(target), **attrs)
    assert reason in str(error.value)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_a_target_that_counts_has_no_mean(name: str) -> None:
    targets = np.full(3, -1)
    assert np.isnan(apply(name, _X, targets, ignore_index=-1).item())
    assert apply(name, _X, targets, ignore_index=-1, reduction="sum").item() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_classes_have_no_gradient(name: str) -> None:
    with pytest.raises(GradientError, match="no gradient with respect to the weights"):
        grad(lambda w: apply(name, _X, np.array([0, 1, 2]), w))(Tensor(np.ones(4, np.float32)))


def test_scores_far_apart_neither_overflow_nor_vanish() -> None:
    scores = Tensor(np.array([[1000, -1000], [-1000, 1000]], np.float32))
    loss = apply("SoftmaxCrossEntropyLoss", scores, np.array([0, 0]), reduction="none")
    np.testing.assert_array_equal(loss.numpy(), [0, 2000])


@pytest.mark.parametrize("name", LOSSES)
def test_halves_are_summed_in_float32(name: str) -> None:
    scores = Tensor(np.zeros((4096, 8), np.float16))
    loss = apply(name, scores - 1.0, np.zeros(4096, np.int64), reduction="mean")
    assert loss.dtype == np.float16
    expected = 1.0 if name.startswith("Neg") else np.log(8)
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-3)
