"""A large array gives, block by block and in several threads, what small ones give."""

import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from trainer.core.tensor import apply
from trainer.ops.blocks import BLOCK, blockwise, for_each_block

NAMES = [
    *("Erf", "Sigmoid", "HardSigmoid", "HardSwish", "Gelu", "Softplus", "Softsign", "Mish"),
    *(
        "LeakyRelu",
        "ThresholdedRelu",
        "Shrink",
        "Elu",
        "Celu",
        "Selu",
        "Relu",
        "Exp",
        "Sin",
        "Sinh",
    ),
]
LARGE = 3 * BLOCK + 5


@pytest.mark.parametrize("name", NAMES)
def test_large_arrays_give_what_their_rows_give(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 2 * BLOCK + 3)).astype(np.float32)
    x[0, 7] = np.nan
    columns = apply(name, np.asfortranarray(x)).numpy()
    assert columns.shape == x.shape
    for given in (apply(name, x).numpy(), columns):
        for part in (slice(0, 100), slice(BLOCK - 50, BLOCK + 50), slice(2 * BLOCK - 9, None)):
            wanted = apply(name, x[:, part].copy()).numpy()
            np.testing.assert_allclose(given[:, part], wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape", [(700, 3, 500), (LARGE, 2), (1, LARGE)], ids=str)
def test_rows_of_large_arrays_give_what_they_give_alone(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    whole = apply(name, x).numpy()
    assert whole.shape == shape
    for part in (slice(0, 9), slice(shape[0] // 3, shape[0] // 3 + 9), slice(-9, None)):
        np.testing.assert_allclose(whole[part], apply(name, x[part]).numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (None, None),
        (np.float32(1), None),
        (None, np.float32(0)),
        (np.float32(0), None),
        (np.float32(0), np.float32(2)),
    ],
    ids=["arrays", "one", "or zero", "zero or", "numbers"],
)
def test_large_arrays_are_chosen_from_as_by_numpy(x: Any, y: Any) -> None:
    generator = np.random.default_rng(0)
    condition = generator.random(LARGE) < 0.5
    x, y = (
        np.asarray(generator.standard_normal(LARGE).astype(np.float32) if v is None else v)
        for v in (x, y)
    )
    np.testing.assert_array_equal(apply("Where", condition, x, y), np.where(condition, x, y))


def test_every_block_is_worked_on_once() -> None:
    times = np.zeros(LARGE, np.int64)

    def work(part: slice) -> None:
        times[part] += 1

    for _ in range(50):
        for_each_block(work, LARGE, 1000)
    assert (times == 50).all()


def test_threads_at_the_same_time_all_get_their_results() -> None:
    x = np.random.default_rng(0).standard_normal(LARGE).astype(np.float32)
    wanted = apply("Sigmoid", x).numpy()
    found: list[bool] = []

    def compute() -> None:
        found.extend(np.array_equal(apply("Sigmoid", x).numpy(), wanted) for _ in range(5))

    threads = [threading.Thread(target=compute) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


def test_a_block_that_fails_fails_the_whole() -> None:
    @blockwise
    def refuse_nan(x: np.ndarray) -> np.ndarray:
        if np.isnan(x).any():
            raise ValueError("no number")
        return x

    for place in (0, BLOCK, LARGE - 1):
        x = np.zeros(LARGE)
        x[place] = np.nan
        with pytest.raises(ValueError, match="no number"):
            refuse_nan(x)
    assert refuse_nan(np.zeros(LARGE)).size == LARGE


def test_numpys_error_handling_holds_in_every_thread() -> None:
    reciprocal = blockwise(np.reciprocal)
    for _ in range(20):  # whichever thread takes the block
        with np.errstate(divide="ignore"):
            assert np.isinf(reciprocal(np.zeros(LARGE))).all()
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            reciprocal(np.zeros(LARGE))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    x = np.random.default_rng(0).standard_normal(LARGE).astype(np.float32)
    wanted = apply("Sigmoid", x).numpy()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        given = pool.apply_async(_sigmoid, [x]).get(timeout=60)
    np.testing.assert_array_equal(given, wanted)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return apply("Sigmoid", x).numpy()


_DIGEST = """
import hashlib, threading
import numpy as np
from trainer.core.tensor import apply
import trainer.ops
x = np.random.default_rng(0).standard_normal((1024, 512)).astype(np.float32)
one = np.ones(512, np.float32)
values = [apply(name, x) for name in ("Gelu", "Exp", "Sin", "Elu")]
values += [apply("Where", x > 0.0, x, 1.0), apply("LayerNormalization", x, one, one)]
print(threading.active_count(), *(hashlib.sha256(y.numpy()).hexdigest() for y in values))
"""


def test_the_number_of_threads_is_that_of_openmp_and_changes_no_bit() -> None:
    found = {}
    for threads in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        started, *found[threads] = done.stdout.split()
        assert started == threads
    assert found["1"] == found["2"] == found["3"]
