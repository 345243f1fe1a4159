"""How many cores this process may use, by its affinity and the quota of its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """Count the cores this process may use; a quota of one and a half counts as two.

    Args:
        groups: Where control groups are mounted, of version 1 or 2 (cgroups(7)).
        membership: Says which of them this process is in.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = min(_quotas(groups, membership), default=float(cores))
    return max(1, min(cores, round(quota)))


def _quotas(groups: Path, membership: Path) -> Iterator[float]:
    """The quota, in cores, of each group that this process is in and that has one."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container, the mount may begin at its own group, which the path then lies outside of.
        inner = groups / "cpu" if controllers else groups
        for folder in (inner / path.strip("/"), *(inner / path.strip("/")).parents):
            if folder.is_relative_to(inner):
                yield from _quota(folder)


def _quota(group: Path) -> Iterator[float]:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        if quota != "max" and int(quota) > 0:  # -1 where version 1 has none
            yield int(quota) / int(period)
    except (OSError, ValueError):
        return
