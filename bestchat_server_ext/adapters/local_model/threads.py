"""How many threads the machine can spare.

llama.cpp's threads wait for one another by spinning, so that one thread too many on a busy
machine makes it several times slower: one core is always left to the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MOST = 4
"""Threads beyond which so small a model gets no faster."""


def thread_count(
    cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """Threads to compute with: one less than the cores that this process may use, 1 to 4.

    Args:
        cgroups: where control groups are mounted.
        own: the file that says which of them this process is in.
    """
    cores = float(_affinity())
    for quota in _quotas(cgroups, own):
        cores = min(cores, quota)
    return max(1, min(_MOST, int(cores) - 1))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """The quotas, in cores, of this process's group and of all groups around it."""
    for line in _read(own).splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers == "":
            mount = cgroups
        elif "cpu" in controllers.split(","):
            mount = cgroups / "cpu"  # a link, where it shares a mount with cpuacct
        else:
            continue
        # In a container the path may be that of the host, of which only the end of the walk, the
        # mount itself, is there.
        for group in (Path(path.strip("/")), *Path(path.strip("/")).parents):
            yield from _quota(mount / group)


def _quota(group: Path) -> Iterator[float]:
    version_1 = " ".join(_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    for text in (_read(group / "cpu.max"), version_1):
        match text.split():  # "max" or -1 stands for no quota
            case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
                yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
