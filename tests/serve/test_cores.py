"""Counting cores in control groups of both versions, as Linux shows them to a process."""

import os
from pathlib import Path

import pytest

from serve.cores import available_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def cores(root: Path, membership: str) -> int:
    (root / "membership").write_text(membership)
    return available_cores(root / "groups", root / "membership")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)],
)
def test_version_2(limit: str, expected: int, tmp_path: Path) -> None:
    write(tmp_path / "groups", cpu__max=limit)
    assert cores(tmp_path, "0::/\n") == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3), ("1000000", 8)])
def test_version_1(quota: str, expected: int, tmp_path: Path) -> None:
    write(tmp_path / "groups" / "cpu", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    seen_from_inside = "4:memory:/docker/7f\n3:cpu,cpuacct:/docker/7f\n0::/\n"
    assert cores(tmp_path, seen_from_inside) == expected


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    write(tmp_path / "groups" / "system.slice", cpu__max="200000 100000")
    write(tmp_path / "groups" / "system.slice" / "serve.service", cpu__max="400000 100000")
    assert cores(tmp_path, "0::/system.slice/serve.service\n") == 2


def test_without_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none", tmp_path / "neither") == 8
    assert cores(tmp_path, "0::/\n") == 8


def test_here() -> None:
    assert 1 <= available_cores() <= 8
