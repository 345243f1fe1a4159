"""The soak in short: versions change under an open loop, and nobody notices."""

from benchmarks.soak import soak


def test_swaps_lose_no_request() -> None:
    seen = soak(swaps=12, rate=100.0, pause=0.05, connections=4)
    assert seen.failures == []
    assert len(seen.latencies) > 20
    assert len(seen.memory) == len(seen.changes) == 12
    assert seen.versions <= {float(v) for v in range(1, 14) if v % 5}  # never a corrupt one
    assert len(seen.versions) > 5
    figures = seen.summary()
    assert (figures["failed"], figures["swaps"]) == (0, 12)
