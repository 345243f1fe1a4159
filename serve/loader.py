"""Makes a servable of a version's files, and chooses where versions come from, by the settings."""

from __future__ import annotations

import time
from dataclasses import replace

from serve import batching_parameters, warmup
from serve.batching import Batching
from serve.executions import Executions
from serve.models_config import ModelConfig
from serve.policy import VersionPolicy
from serve.probe import Probe
from serve.servable import Loading, Servable, load
from serve.settings import Settings
from serve.source import Candidate, ConfiguredSource, FolderSource


def open_source(settings: Settings) -> ConfiguredSource | FolderSource:
    """Where the versions come from: a configuration file if there is one, else a folder.

    Raises:
        SettingsError: The configuration file is wrong.
    """
    if settings.model_config_file is not None:
        return ConfiguredSource(settings.model_config_file, settings.model_config_poll_interval)
    config = ModelConfig(VersionPolicy(settings.num_versions))
    return FolderSource(settings.model_base_path, settings.model_name, config)


class Loader:
    """Loads versions as the settings say.

    Args:
        settings: What the operator wants.

    Attributes:
        batching: How requests are joined, for models that do not say otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.batching = settings.batching
        self.probe = (
            Probe(settings.probe_seconds, settings.probe_memory_bytes) if settings.probe else None
        )

    def __call__(self, candidate: Candidate) -> Servable:
        """Load a version; it may take long.

        Raises:
            LoadError: It cannot be served; the message says why.
        """
        settings, config = self.settings, candidate.config
        start = time.perf_counter()
        servable = load(
            candidate.path,
            settings.thread_budget,
            settings.golden,
            self.probe.check if self.probe else None,
            config.device or settings.device,
            config.session,
        )
        loaded = time.perf_counter()
        servable.batching = self._batching(candidate)
        warmup.replay(servable, candidate.path)
        warming = time.perf_counter() - loaded
        servable.loading = Loading(candidate.path, loaded - start, warming)
        servable.executions = Executions()  # from now on they are for clients
        return servable

    def _batching(self, candidate: Candidate) -> Batching | None:
        """How a version's requests are joined; None where as those of all others.

        The operator's word on a model wins over the file that came with it, as anybody may have
        written that.
        """
        batching, own = self.batching, candidate.config.batching
        if self.settings.enable_per_model_batching_parameters and batching.enabled:
            batching = batching_parameters.of_version(candidate.path, batching)
        elif not own:
            return None
        return replace(batching, **own)

    def close(self) -> None:
        """End a probe that is at work."""
        if self.probe is not None:
            self.probe.close()
