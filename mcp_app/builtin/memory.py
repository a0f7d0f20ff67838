"""How much memory this process may take beyond what it has: a bound by the kernel, for what DuckDB does not count.

DuckDB bounds its buffers, not one value: `repeat('x', 1000000000)` took 4 GB.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CEILING_BYTES = 1536 * 1024**2
"""More than DuckDB's buffers and the rows of a batch; what asks for more gets an error, and the process goes on."""


@contextmanager
def memory_ceiling() -> Iterator[None]:
    """Allocations beyond it fail while this is open: in DuckDB as its OutOfMemoryException, in Python as MemoryError.

    Only where the kernel counts what a process has of its own (Linux); for a process that does one thing at a time.
    """
    has = _data_bytes()
    if has is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = has + CEILING_BYTES
    allowed = [each for each in (soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *allowed]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
