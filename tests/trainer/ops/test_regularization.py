"""Dropout in training mode, whose random numbers every runtime draws for itself."""

import numpy as np

from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply

_X = Tensor(np.random.default_rng(0).standard_normal((100, 100)))
_TRAINING = np.array(True)


def test_about_a_share_becomes_zero_and_the_rest_grows_to_keep_the_mean() -> None:
    y, kept = apply("Dropout", _X, np.array(0.25), _TRAINING, seed=3, outputs=2)
    expected = np.where(kept.numpy(), _X.numpy() / 0.75, 0)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    assert abs(kept.numpy().mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / _X.size)


def test_a_seed_repeats_and_no_seed_does_not() -> None:
    def drop(**attrs):
        return apply("Dropout", _X, np.array(0.5), _TRAINING, **attrs).numpy()

    np.testing.assert_array_equal(drop(seed=1), drop(seed=1))
    assert (drop(seed=1) != drop(seed=2)).any()
    assert (drop() != drop()).any()


def test_the_gradient_passes_where_the_value_did() -> None:
    def drop(x):
        return apply("Dropout", x, np.array(0.25), _TRAINING, seed=3)

    g = grad(lambda x: (drop(x) * _X).sum())(_X)
    np.testing.assert_allclose(g.numpy(), drop(_X).numpy(), rtol=1e-12)
    # The gradient is linear in what comes in, and the second one passes likewise.
    second = grad(lambda v: (grad(lambda x: (drop(x) * v).sum())(_X) * _X).sum())(_X)
    np.testing.assert_allclose(second.numpy(), drop(_X).numpy(), rtol=1e-12)


def test_a_ratio_of_zero_or_one_keeps_everything_or_nothing() -> None:
    all_of_it, kept = apply("Dropout", _X, np.array(0.0), _TRAINING, outputs=2)
    np.testing.assert_array_equal(all_of_it.numpy(), _X.numpy())
    assert kept.numpy().all()
    assert not apply("Dropout", _X, np.array(1.0), _TRAINING).numpy().any()
