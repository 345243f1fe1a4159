"""Makes a servable of a version's files: checked, probed, opened, its golden examples replayed."""

from __future__ import annotations

from serve.probe import Probe
from serve.servable import Servable, load
from serve.settings import Settings
from serve.source import Candidate


class Loader:
    """Loads versions as the settings say.

    Args:
        settings: What the operator wants.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.probe = (
            Probe(settings.probe_seconds, settings.probe_memory_bytes) if settings.probe else None
        )

    def __call__(self, candidate: Candidate) -> Servable:
        """Load a version; it may take long.

        Raises:
            LoadError: It cannot be served; the message says why.
        """
        settings = self.settings
        probe = self.probe.check if self.probe else None
        return load(candidate.path, settings.thread_budget, settings.golden, probe)

    def close(self) -> None:
        """End a probe that is at work."""
        if self.probe is not None:
            self.probe.close()
