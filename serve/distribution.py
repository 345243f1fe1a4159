"""A histogram with given bounds, cheap to add to, which becomes samples of Prometheus' when it is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from prometheus_client.core import Metric


class Distribution:
    """How many observed values were at most so large, and their sum.

    Example:
        >>> sizes = Distribution((1, 2, 4))
        >>> sizes.observe(3)
        >>> sizes.buckets, sizes.sum
        ([0, 0, 1, 0], 3.0)

    Args:
        bounds: The upper bounds of the buckets, increasing; one more takes what is larger.
    """

    __slots__ = ("bounds", "buckets", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value."""
        self.buckets[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def add(self, other: Distribution) -> None:
        """Count what another one has counted, within the same bounds."""
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.sum += other.sum

    def write(self, metric: Metric, labels: Mapping[str, str]) -> None:
        """Add the samples `_bucket`, `_sum` and `_count` to a metric."""
        total = 0
        for bound, number in zip((*map(str, self.bounds), "+Inf"), self.buckets, strict=True):
            total += number
            metric.add_sample(metric.name + "_bucket", {**labels, "le": bound}, total)
        metric.add_sample(metric.name + "_sum", dict(labels), self.sum)
        metric.add_sample(metric.name + "_count", dict(labels), total)
