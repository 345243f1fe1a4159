"""The soak in short: versions change under an open loop, and nobody notices."""

from benchmarks.soak import soak


def test_swaps_lose_no_request() -> None:
    seen = soak(swaps=12, rate=100.0, pause=0.05)
    assert seen.tally.asked > 50
    assert set(seen.tally.statuses) == {200}
    assert seen.tally.unanswered == 0
    assert seen.wrong == []  # neither a corrupt version, nor the one before for too long
    assert len(seen.memory) == len(seen.changes) == 12
    figures = seen.summary()
    assert (figures["failed"], figures["swaps"]) == (0, 12)
