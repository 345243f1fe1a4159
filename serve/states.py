"""What Prometheus is told about the state of every version."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serve.manager import Manager


class States(Collector):
    """Collects states at the moment when they are asked for.

    Args:
        manager: Knows them.
    """

    def __init__(self, manager: Manager) -> None:
        self.manager = manager

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every version in its one state, and whether something stands against it."""
        states = GaugeMetricFamily(
            "tapeline_model_version_state",
            "1 for the state that a version is in; why it failed is in its status and in the log.",
            labels=["model", "version", "state"],
        )
        failed = GaugeMetricFamily(
            "tapeline_model_version_failed",
            "1 for a version that cannot be loaded as it lies in the store.",
            labels=["model", "version"],
        )
        ready = GaugeMetricFamily(
            "tapeline_models_unready", "Models that count and have no available version."
        )
        for model, view in self.manager.states():
            states.add_metric([model, str(view.version), view.state], 1)
            failed.add_metric([model, str(view.version)], float(bool(view.error)))
        ready.add_metric([], len(self.manager.unready()))
        yield from (states, failed, ready)

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: what there is, is known when it is collected."""
        return []
