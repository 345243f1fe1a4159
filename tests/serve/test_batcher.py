"""The queue of a model: what is joined, refused, given up and ended, with real sessions."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve.batching import Batching
from serve.errors import DeadlineExceeded, InvalidArgument, TooManyRequests
from serve.infer import Inference
from serve.servable import Run, Servable, load
from tests.serve import models

FOREVER = {"rounds": np.array(2**40)}
PAIRS = """(float[N] x) => (float[N] y) {
    shape = Constant<value_ints = [-1, 2]>() flat = Constant<value_ints = [-1]>()
    pairs = Reshape(x, shape) y = Reshape(pairs, flat)
}"""  # takes even numbers of examples only
LONGER = """(float[N] x) => (float[N] y) { y = Concat<axis = 0>(x, x) }"""  # and says otherwise
LENGTHS = "(float[N,L] x) => (float[N,L] y) { y = Add(x, x) }"


class Spy(Servable):
    """Notes the shapes of what it is run with."""

    seen: list[Any]

    def run(self, feeds: Any, names: Any = None, run: Run | None = None) -> dict[str, Any]:
        self.seen.append(feeds["x"].shape)
        return super().run(feeds, names, run)


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    def open_(graph: str) -> Any:
        servable: Any = load(models.publish(tmp_path, "m", 1, graph))
        servable.seconds = math.inf  # else it is run inline
        servable.__class__, servable.seen = Spy, []
        return servable

    return open_


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    servable = load(models.publish(tmp_path_factory.mktemp("m"), "slow", 1, models.SLOW))
    servable.seconds = math.inf
    return servable


@contextmanager
def inference(threads: int = 1, deadline: float = 30, **policy: Any) -> Iterator[Inference]:
    policy = {"enabled": True, **policy}
    made = Inference(threads, Batching(**policy), deadline)
    yield made
    made.close()


def ask(made: Inference, servable: Any, *arrays: Any) -> list[Any]:
    """What comes back for requests that arrive together."""

    async def main() -> list[Any]:
        asked = [made.run(servable, {"x": np.array(a, np.float32)}) for a in arrays]
        return await asyncio.gather(*asked, return_exceptions=True)

    results = asyncio.run(main())
    return [r["y"].tolist() if isinstance(r, dict) else r for r in results]


def test_requests_that_arrive_together_are_one_run(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)
    with inference() as made:
        assert ask(made, servable, [2], [4, 6], [8]) == [[3], [4, 5], [6]]
    assert servable.seen == [(4,)]
    runs, nanoseconds = servable.executions.by_size()[4]
    assert runs == 1
    assert nanoseconds > 0


def test_lower_numbers_go_first_and_equals_in_their_order(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)

    async def main(made: Inference) -> None:
        orders = [(1, 0), (2, 2), (3, 1), (4, 2), (5, 0)]
        await asyncio.gather(
            *(
                made.run(servable, {"x": np.ones(rows, np.float32)}, priority=priority)
                for rows, priority in orders
            )
        )

    with inference(enabled=False) as made:
        asyncio.run(main(made))
    assert servable.seen == [(3,), (2,), (4,), (1,), (5,)]


def test_without_batching_each_is_a_run(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)
    with inference(enabled=False) as made:
        assert ask(made, servable, [2], [4, 6]) == [[3], [4, 5]]
    assert servable.seen == [(1,), (2,)]


def test_batches_have_a_largest_size_and_larger_requests_are_split(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)
    with inference(max_batch_size=3) as made:
        assert ask(made, servable, [2] * 7, [4]) == [[3] * 7, [4]]
    assert servable.seen == [(3,), (3,), (2,)]


def test_batches_are_padded_to_allowed_sizes(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)
    with inference(max_batch_size=8, allowed_sizes=(4, 8)) as made:
        assert ask(made, servable, [2], [4, 6]) == [[3], [4, 5]]
        assert ask(made, servable, [2]) == [[3]]
        queue = made.queue_of(servable)
        assert queue is not None
        assert (queue.totals.runs, queue.totals.requests, queue.totals.rows) == (2, 3, 4)
        assert queue.totals.padding == 4
        assert servable.executions.by_size()[4][0] == 2
    assert servable.seen == [(4,), (4,)]


def test_a_batch_waits_for_more_and_not_longer_than_until_it_is_full(opened: Any) -> None:
    servable = opened(models.HALF_PLUS_TWO)

    async def main(made: Inference) -> None:
        first = asyncio.create_task(made.run(servable, {"x": np.ones(1, np.float32)}))
        await asyncio.sleep(0.05)
        assert servable.seen == []
        await made.run(servable, {"x": np.ones(3, np.float32)})
        await first

    with inference(delay=60, max_batch_size=4) as made:
        asyncio.run(main(made))
    with inference(delay=0.001, max_batch_size=4) as made:
        ask(made, servable, [1])
    assert servable.seen == [(4,), (1,)]


def test_one_that_cannot_be_computed_does_not_harm_the_others(opened: Any) -> None:
    servable = opened(PAIRS)
    with inference() as made:
        good, bad, other = ask(made, servable, [1, 2], [1], [3, 4])
    assert (good, other) == ([1, 2], [3, 4])
    assert isinstance(bad, InvalidArgument)


def test_outputs_that_do_not_follow_the_inputs_end_the_joining(opened: Any) -> None:
    servable = opened(LONGER)
    with inference() as made:
        assert ask(made, servable, [1], [2]) == [[1, 1], [2, 2]]
        servable.seen.clear()
        assert ask(made, servable, [1], [2]) == [[1, 1], [2, 2]]
    assert servable.seen == [(1,), (1,)]


def test_different_lengths_are_joined_only_where_that_is_wanted(opened: Any) -> None:
    servable = opened(LENGTHS)
    expected = [[[2.0, 4.0]], [[6.0, 8.0, 10.0]]]
    with inference() as made:
        assert ask(made, servable, [[1, 2]], [[3, 4, 5]]) == expected
    with inference(pad_lengths=True) as made:
        assert ask(made, servable, [[1, 2]], [[3, 4, 5]]) == expected
    assert servable.seen == [(1, 2), (1, 3), (2, 3)]


def test_only_the_outputs_asked_for_are_given(tmp_path: Path) -> None:
    servable = load(models.publish(tmp_path, "m", 1, models.SUM_AND_DIFFERENCE))
    servable.seconds = math.inf
    feeds = {"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)}

    async def main(made: Inference) -> list[Any]:
        asked = [made.run(servable, feeds, names) for names in (["sum"], ["difference"], None)]
        return await asyncio.gather(*asked)

    with inference() as made:
        results = asyncio.run(main(made))
    assert [list(r) for r in results] == [["sum"], ["difference"], ["sum", "difference"]]


async def one_runs_two_wait(made: Inference, slow: Servable) -> list[asyncio.Task[Any]]:
    asked = []
    for _ in range(3):
        asked.append(asyncio.create_task(made.run(slow, FOREVER)))
        await asyncio.sleep(0.02)
    assert not any(task.done() for task in asked)
    return asked


def test_a_full_queue_refuses_and_says_when_to_come_again(slow: Servable) -> None:
    async def main(made: Inference) -> None:
        asked = await one_runs_two_wait(made, slow)
        with pytest.raises(TooManyRequests) as refused:
            await made.run(slow, FOREVER)
        assert refused.value.headers == ((b"retry-after", b"1"),)
        asked[2].cancel()
        await asyncio.sleep(0)
        asked.append(asyncio.create_task(made.run(slow, FOREVER)))  # there is room again
        await asyncio.sleep(0)
        assert not asked[-1].done()
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await made.run(slow, {"rounds": np.array(1)})  # nothing is left over

    with inference(max_queue=2) as made:
        asyncio.run(main(made))


def test_the_queue_is_bounded_by_measured_time(slow: Servable) -> None:
    slow.seconds = 0.2

    async def main(made: Inference) -> None:
        asked = await one_runs_two_wait(made, slow)
        with pytest.raises(TooManyRequests):
            await made.run(slow, FOREVER)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    with inference() as made:
        asyncio.run(main(made))
    slow.seconds = math.inf


def test_a_deadline_ends_the_run_and_empties_the_queue(slow: Servable) -> None:
    async def main(made: Inference) -> None:
        asked = [made.run(slow, FOREVER) for _ in range(3)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, DeadlineExceeded) for result in results)
        assert (await made.run(slow, {"rounds": np.array(1)}))["y"].shape == (96, 96)

    with inference(deadline=0.05) as made:
        asyncio.run(main(made))


def test_the_deadline_counts_from_the_arrival_and_a_client_may_shorten_it(slow: Servable) -> None:
    async def main(made: Inference) -> None:
        long_ago = time.perf_counter() - 3600
        with pytest.raises(DeadlineExceeded, match="within 30 seconds"):
            await made.run(slow, FOREVER, arrived=long_ago)
        with pytest.raises(DeadlineExceeded, match=r"within 0\.01 seconds"):
            await made.run(slow, FOREVER, timeout=0.01)
        with pytest.raises(DeadlineExceeded, match="within 30 seconds"):
            await made.run(slow, FOREVER, arrived=long_ago, timeout=1e6)
        queue = made.queue_of(slow)
        assert queue is not None
        assert queue.waiting == 0

    with inference() as made:
        asyncio.run(main(made))


LOOP = """(float[N] x) => (float[N] y) {
    rounds = Constant<value = int64 {1000000000000}>() go = Constant<value = bool {1}>()
    y = Loop(rounds, go, x) <body = body (int64 i, bool g, float[N] m) => (bool on, float[N] n) {
        on = Identity(g) n = Tanh(m) }>
}"""


def test_a_batch_is_ended_only_when_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.servable._measure", lambda *_: math.inf)  # it never ends
    servable = load(models.publish(tmp_path, "m", 1, LOOP))

    async def main(made: Inference) -> None:
        feeds = {"x": np.ones(1, np.float32)}
        asked = [asyncio.create_task(made.run(servable, feeds)) for _ in range(2)]
        await asyncio.sleep(0.05)
        (batch,) = made._batcher(servable)._computed
        run = batch.run
        asked[0].cancel()
        await asyncio.sleep(0.05)
        assert not run.cancelled
        asked[1].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert run.cancelled
        while made._batcher(servable)._computed:
            await asyncio.sleep(0.01)

    with inference() as made:
        asyncio.run(asyncio.wait_for(main(made), 30))
