"""The memory that this process may use: by its control group, its own limits (`ulimit -v`), and the machine's memory.

Nothing is decided by it here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def memory_limit(root: Path = Path("/")) -> int:
    """In bytes: the smallest limit of the process's control group and of those around it, of version 2 or 1, and of its
    own; at most the memory of the machine. `root` is where /proc and /sys are. Without POSIX none is known."""
    return min([*_physical(), *_own(), *_of_groups(root)], default=_UNKNOWN)


_UNKNOWN = 4 * 1024**3
"""What a small machine of today has."""


def _physical() -> Iterator[int]:
    if hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _own() -> Iterator[int]:
    """getrlimit(2), soft limits: beyond them the process gets no memory."""
    try:
        import resource
    except ImportError:
        return
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit


def _of_groups(root: Path) -> Iterator[int]:
    """Of the control groups (Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). In a container the
    group's path may be that of the host, which is not there: then the mount point is the group."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, found, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if found and not controllers:
            directory, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            directory, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for each in (group, *group.parents):
            text = _read(directory / each / name).strip()
            if text.isdecimal() and ".." not in each.parts:
                yield int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
