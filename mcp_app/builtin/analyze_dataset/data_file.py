"""Opens a file below a folder, and nothing else: no link is followed, and what is opened is what was checked.

Each component of the path is opened in the directory that was opened before it, so that nobody can swap one in between.
What is in the file is not looked at here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.quoting import shown

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""How the names of data files end, and their format."""

_LISTED = 20
"""Files that an error names, and directories below the root that are looked into for them."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class State(NamedTuple):
    """What changes when a file is written to."""

    size: int
    modified_ns: int


class DataFile:
    """An open regular file. `name` is what the caller says of it."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.descriptor = descriptor

    @property
    def path(self) -> str:
        """By which this process, and nobody else, opens this very file again, wherever its name leads by now."""
        linux = Path("/proc/self/fd")
        return f"{linux if linux.is_dir() else '/dev/fd'}/{self.descriptor}"

    def state(self) -> State:
        """Its size and time now."""
        found = os.fstat(self.descriptor)
        return State(found.st_size, found.st_mtime_ns)


@contextmanager
def open_below(root: Path, name: str) -> Iterator[DataFile]:
    """Open the file `name` (relative to `root`, with `/`). Raises ToolError for what is no regular file there."""
    descriptor = _opened(root, name)
    try:
        yield DataFile(name, descriptor)
    finally:
        os.close(descriptor)


def _opened(root: Path, name: str) -> int:
    parts = _parts(root, name)
    try:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ToolError(
            "This server's folder of data cannot be opened.",
            hint="Its operator names it by MCP_APP_DATA_ROOT.",
        ) from error
    try:
        for part in parts[:-1]:
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        _check(os.stat(parts[-1], dir_fd=here, follow_symlinks=False), name)  # to open a device may do something
        descriptor = os.open(parts[-1], _FILE, dir_fd=here)
    except OSError as error:
        raise _refused(root, name, error) from error
    finally:
        os.close(here)
    try:
        _check(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _parts(root: Path, name: str) -> list[str]:
    parts = name.split("/")
    if name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ToolError(
            f"{shown(name)!r} is no file of this server's data: a path is relative to its folder, as in sales/may.csv.",
            hint=_listed(root),
        )
    return parts


def _check(found: os.stat_result, name: str) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFLNK: "a link, and links are not followed",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    raise ToolError(f"{shown(name)!r} is {kinds.get(stat.S_IFMT(found.st_mode), 'a device')}; give the name of a file.")


def _refused(root: Path, name: str, error: OSError) -> ToolError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EILSEQ):
        # A link on the way is ENOTDIR or ELOOP: nothing is said of where it leads.
        return ToolError(f"There is no file {shown(name)!r} in this server's data.", hint=_listed(root))
    if error.errno in (errno.EACCES, errno.EPERM):
        return ToolError(f"This server may not read {shown(name)!r}.")
    return ToolError(f"{shown(name)!r} could not be opened: {os.strerror(error.errno or 0)}.")


def _listed(root: Path) -> str:
    names = data_files(root)
    if not names:
        return "There are no data files on this server; its operator names their folder by MCP_APP_DATA_ROOT."
    return "There are: " + ", ".join(shown(each, 100) for each in names) + "."


def data_files(root: Path) -> list[str]:
    """The first data files below the root, by name. Links and pipes are left out, and so is what cannot be listed."""
    found: list[str] = []
    for looked, (directory, directories, files) in enumerate(os.walk(root), 1):
        directories.sort()
        here = Path(directory)
        for file in sorted(files):
            if PurePosixPath(file).suffix.lower() in SUFFIXES and _is_regular(here / file):
                found.append((here / file).relative_to(root).as_posix())
        if looked >= _LISTED or len(found) >= _LISTED:
            break
    return found[:_LISTED]


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
