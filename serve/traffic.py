"""Which version of a model answers a request: by number, by label, by share, else the newest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from serve.errors import InvalidArgument
from serve.hint import did_you_mean
from serve.models_config import Label
from serve.version import Version


@dataclass(slots=True, eq=False)
class _Share:
    """The version that takes a percentage of a model's requests, evenly spread."""

    version: int
    percent: float
    credit: float = 0.0

    def takes(self) -> bool:
        self.credit += self.percent
        if self.credit < 100:
            return False
        self.credit -= 100
        return True


class Traffic:
    """The versions that can be asked, of all models. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Version]] = {}  # newest first
        self._labels: dict[str, Mapping[str, Label]] = {}
        self._shares: dict[str, list[_Share]] = {}
        self._plain: dict[str, Version] = {}  # the newest of models without shares

    def __iter__(self) -> Iterator[Version]:
        for versions in self._versions.values():
            yield from versions.values()

    @property
    def models(self) -> Set[str]:
        """The models that have a version that can be asked."""
        return self._versions.keys()

    def add(self, version: Version) -> None:
        """Let requests find a version."""
        model, number = version.candidate.model, version.candidate.version
        versions = {**self._versions.get(model, {}), number: version}
        self._versions[model] = dict(sorted(versions.items(), reverse=True))
        self._settle(model)

    def remove(self, version: Version) -> None:
        """Let no more requests find a version."""
        model, number = version.candidate.model, version.candidate.version
        del self._versions[model][number]
        if not self._versions[model]:
            del self._versions[model]
        self._settle(model)

    def clear(self) -> None:
        """Let no requests find anything."""
        self._versions.clear()
        self._plain.clear()

    def label(self, model: str, labels: Mapping[str, Label]) -> None:
        """Name versions; those with a percentage begin to take their share."""
        if self._labels.get(model) == labels:
            return
        self._labels[model] = labels
        self._shares[model] = [
            _Share(label.version, label.percent) for label in labels.values() if label.percent
        ]
        self._settle(model)

    def labelled(self, model: str, label: str) -> int:
        """The version that a label names.

        Raises:
            InvalidArgument: The model has no such label.
        """
        labels = self._labels.get(model, {})
        if label in labels:
            return labels[label].version
        problem, hint = f"Unrecognized servable version label: {label}", did_you_mean(label, labels)
        raise InvalidArgument(f"{problem}.{hint}" if hint else problem)

    def find(self, model: str, number: int | None) -> Version | None:
        """The version that answers a request; None where there is none.

        Args:
            model: Its name.
            number: The version that the request names; None where it names none.
        """
        if number is None and (newest := self._plain.get(model)) is not None:
            return newest
        versions = self._versions.get(model)
        if not versions:
            return None
        return versions.get(number) if number is not None else self._unnamed(model, versions)

    def _settle(self, model: str) -> None:
        """Find out once what answers the requests to a model, where that is always the same."""
        versions = self._versions.get(model)
        if versions and not self._shares.get(model):
            self._plain[model] = next(iter(versions.values()))
        else:
            self._plain.pop(model, None)

    def _unnamed(self, model: str, versions: Mapping[int, Version]) -> Version:
        """The version that answers a request that names none."""
        if shares := self._shares.get(model):
            for share in shares:
                if share.version in versions and share.takes():
                    return versions[share.version]
            split = {share.version for share in shares}
            for number, version in versions.items():
                if number not in split:
                    return version
        return next(iter(versions.values()))
