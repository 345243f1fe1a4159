"""Running models: what is checked, who waits for whom, and what can be ended."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serve.budget import ThreadBudget
from serve.errors import InvalidArgument, Unavailable
from serve.infer import Inference, check
from serve.servable import Servable, load
from serve.signature import Signature
from serve.tensors import TensorSpec
from tests.serve import models

SIGNATURE = Signature(
    inputs=(
        TensorSpec("x", "tensor(float)", ("batch", 3)),
        TensorSpec("bias", "tensor(float)", (1,), optional=True),
    ),
    outputs=(TensorSpec("y", "tensor(float)", None),),
)
X = np.zeros((2, 3), np.float32)
FOREVER = {"rounds": np.array(2**40)}


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "Missing inputs: x"),
        ({"x": X, "z": X}, "no input 'z'; inputs are: x, bias"),
        ({"x": X, "bais": X}, "no input 'bais'; inputs are: x, bias. Did you mean bias"),
        ({"x": X.astype(np.float64)}, r"'x' is tensor\(float\), given is float64"),
        ({"x": X[0]}, r"'x' has shape \[batch, 3\], given is \[3\]"),
        ({"x": X[:, :2]}, r"'x' has shape \[batch, 3\], given is \[2, 2\]"),
        ({"x": X, "bias": X[0]}, r"'bias' has shape \[1\], given is \[3\]"),
    ],
)
def test_what_does_not_fit_is_named(feeds: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check(feeds, SIGNATURE)


def test_what_fits_passes() -> None:
    check({"x": X}, SIGNATURE)
    check({"x": X, "bias": X[0, :1]}, SIGNATURE)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    servable = load(models.publish(tmp_path_factory.mktemp("m"), "slow", 1, models.SLOW))
    servable.seconds = math.inf  # zero rounds, as it was measured with, are quick
    return servable


@pytest.fixture
def inference() -> Iterator[Inference]:
    inference = Inference(2)
    yield inference
    inference.close()


def test_the_event_loop_goes_on_while_a_model_runs(inference: Inference, slow: Servable) -> None:
    async def main() -> int:
        computing = asyncio.create_task(inference.run(slow, FOREVER))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not computing.done()
        computing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await computing
        return 1

    assert asyncio.run(main()) == 1


def test_a_cancelled_run_ends_and_frees_its_thread(inference: Inference, slow: Servable) -> None:
    async def main() -> None:
        for _ in range(4):  # twice as many as there are threads
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(inference.run(slow, FOREVER), 0.01)
        result = await inference.run(slow, {"rounds": np.array(1)})
        assert result["y"].shape == (96, 96)

    asyncio.run(main())


def test_closing_ends_what_runs(slow: Servable) -> None:
    async def main() -> None:
        inference = Inference(1)
        computing = asyncio.create_task(inference.run(slow, FOREVER))
        await asyncio.sleep(0.01)
        inference.close()
        with pytest.raises(Unavailable):
            await computing

    asyncio.run(main())


def test_a_quick_model_runs_at_once_unless_the_request_is_large(tmp_path: Path) -> None:
    servable = load(models.publish(tmp_path, "m", 1, models.LINEAR))
    closed = Inference(1)
    closed.close()  # no thread will run anything

    async def run(rows: int) -> np.ndarray:
        return (await closed.run(servable, {"x": np.ones((rows, 3), np.float32)}))["y"]

    np.testing.assert_array_equal(asyncio.run(run(1)), [[9, 12]])
    with pytest.raises(Unavailable, match="stopping"):
        asyncio.run(run(10**6))


def test_threads_are_given_in_order_and_never_more_than_there_are() -> None:
    async def main() -> list[str]:
        budget, log = ThreadBudget(2), []

        async def work(name: str, threads: int) -> None:
            await budget.acquire(threads)
            log.append(f"{name} starts")
            await asyncio.sleep(0)
            log.append(f"{name} ends")
            budget.release(threads)

        await asyncio.gather(work("a", 1), work("wide", 2), work("b", 1), work("c", 1))
        return log

    log = asyncio.run(main())
    assert log[:4] == ["a starts", "a ends", "wide starts", "wide ends"]
    assert sorted(log[4:6]) == ["b starts", "c starts"]


def test_who_stops_waiting_blocks_nobody() -> None:
    async def main() -> None:
        budget = ThreadBudget(2)
        await budget.acquire(1)
        wide = asyncio.create_task(budget.acquire(2))
        await asyncio.sleep(0)
        narrow = asyncio.create_task(budget.acquire(1))
        await asyncio.sleep(0)
        assert not narrow.done()
        wide.cancel()
        await narrow  # though nobody released anything
        budget.release(1)
        budget.release(1)
        await budget.acquire(2)
        waiting = asyncio.create_task(budget.acquire(1))
        await asyncio.sleep(0)
        budget.release(2)  # its turn has come, and in this moment it is cancelled
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await budget.acquire(2)

    asyncio.run(asyncio.wait_for(main(), 5))
