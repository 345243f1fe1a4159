"""How much may wait: much in a burst, little in an overload."""

import pytest

from serve.admission import MEMORY, Admission

RUN = 0.02


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


def test_a_burst_may_wait(clock: Clock) -> None:
    queue = Admission(most=1000, seconds=0.3, parallel=1)
    assert all(queue.admits(n, n * RUN, computed=1, run=RUN) for n in range(16))
    assert not queue.short


def overflowing(clock: Clock) -> Admission:
    queue = Admission(most=1000, seconds=0.3, parallel=1)
    assert not queue.admits(16, 16 * RUN, computed=1, run=RUN)
    return queue


def test_after_too_much_only_as_many_wait_as_are_computed(clock: Clock) -> None:
    queue = overflowing(clock)
    assert queue.short
    assert queue.admits(0, 0.0, computed=1, run=RUN)
    assert not queue.admits(1, RUN, computed=1, run=RUN)
    assert queue.admits(7, 7 * RUN, computed=8, run=RUN)  # a batch


def test_an_overload_lasts_while_many_are_refused(clock: Clock) -> None:
    queue = overflowing(clock)
    for _ in range(10 * MEMORY):  # twice as many come as can be computed
        clock.now += RUN
        assert not queue.admits(1, RUN, computed=1, run=RUN)
    assert queue.short


def test_an_overload_ends_though_a_few_are_refused(clock: Clock) -> None:
    queue = overflowing(clock)
    for _ in range(2 * MEMORY):
        clock.now += 5 * RUN
        if not queue.short:
            break
        queue.admits(1, RUN, computed=1, run=RUN)
    assert not queue.short
    assert queue.admits(5, 5 * RUN, computed=1, run=RUN)


def test_the_number_of_requests_is_a_bound_by_itself(clock: Clock) -> None:
    queue = Admission(most=2, seconds=0.3, parallel=1)
    assert queue.admits(1, 0.0, computed=1, run=0.0)
    assert not queue.admits(2, 0.0, computed=1, run=0.0)
    assert not queue.short
