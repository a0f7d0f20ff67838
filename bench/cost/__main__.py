"""`python -m bench.cost`, which is `make cost`: the instructions of a call in a commit, and beside them in this tree.

Options: --help.
"""

from __future__ import annotations

import argparse
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mcp_app.server.certificates import ensure

from .. import environments, report
from .callers import Known, with_key, with_token
from .calls import DOORS, TOOLS, Process, instructions
from .counters import Counter, best
from .figures import BEGIN, END, Counts, Side, rendered

DOCUMENT = environments.ROOT / "docs" / "performance.md"
GIT_SECONDS = 60
SHARED = "ours_shared_tools.py"
AT_ONCE = 2
"""Servers: counts are the same on a busy machine, and two cores do it in half of the time."""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 2 when nothing can count here, or git does not know the commit."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mcp-app-cost-") as temporary, ExitStack() as stack:
        # Both are copies, at paths of one length: where an object lies in memory moves a count by up to 0.4%.
        scratch = Path(temporary)
        old, new = scratch / "old", scratch / "new"
        try:
            counter = best()
            name = copy(asked.vs_dir, new)
            if asked.beside is None:
                sides = {check_out(asked.base, old): Served(old), name: Served(new)}
            else:
                copy(asked.vs_dir, old)
                other = stack.enter_context(BESIDE[asked.beside](new, scratch))
                sides = {name: Served(old), f"with one {asked.beside}": other}
        except OSError as error:
            print(error, file=sys.stderr)
            return 2
        before, after = counted(sides, asked.processes, scratch, counter)
    about = (
        f"Instructions per call, counted by {counter.name} over {counter.calls} calls, on Python "
        f"{platform.python_version()} and uvloop {version('uvloop')}; the run took {time.monotonic() - began:.0f} s."
    )
    text = rendered(before, after, about)
    print(text)
    if asked.write:
        DOCUMENT.write_text(report.inserted(DOCUMENT.read_text(encoding="utf-8"), text, BEGIN, END), encoding="utf-8")
        print(f"written: {DOCUMENT.relative_to(environments.ROOT)}", file=sys.stderr)
    return 0


class Served(NamedTuple):
    """One side: a tree, and the tools that it serves."""

    tree: Path
    tools: str = TOOLS
    caller: Known = Known()


@contextmanager
def _shared(tree: Path, scratch: Path) -> Iterator[Served]:
    yield Served(tree, SHARED)


@contextmanager
def _key(tree: Path, scratch: Path) -> Iterator[Served]:
    with with_key(scratch) as caller:
        yield Served(tree, caller=caller)


@contextmanager
def _token(tree: Path, scratch: Path) -> Iterator[Served]:
    with with_token() as caller:
        yield Served(tree, caller=caller)


BESIDE = {"Shared": _shared, "key": _key, "token": _token}
"""What one tree is counted with, beside the same without it."""


def counted(served: Mapping[str, Served], processes: int, scratch: Path, counter: Counter) -> list[Side]:
    """Every side by every door, in so many processes. Raises what `instructions` raises."""
    made = ensure(scratch / "certs")[0]

    def one(process: Process) -> Counts:
        directory = Path(tempfile.mkdtemp(dir=scratch, prefix="process-"))
        found = instructions(process, (made.certificate, made.key), directory, counter)
        print(f"counted: {process.tree.name}, {process.door}, {process.hash_seed}", file=sys.stderr, flush=True)
        return found

    # A process of the old tree and one of the new have the same seed, as the order of a set may cost or save a little.
    seeds = range(1, processes + 1)
    wanted = [
        Process(each.tree, door, seed, each.tools, each.caller)
        for seed in seeds
        for door in DOORS
        for each in served.values()
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(wanted, pool.map(one, wanted), strict=True))
    sides = []
    for name, (tree, tools, caller) in served.items():
        by_door = [[found[Process(tree, door, seed, tools, caller)] for door in DOORS] for seed in seeds]
        sides.append(Side(name, [lane | quart for lane, quart in by_door]))
    return sides


def copy(tree: Path, directory: Path) -> str:
    """Copy a checkout; returns what it is called."""
    shutil.copytree(tree, directory, symlinks=True, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return "this tree" if tree.samefile(environments.ROOT) else tree.resolve().name


def check_out(commit: str, directory: Path) -> str:
    """Write the files of a commit of this repository; returns its short name. Raises OSError for no such commit."""
    git = ["git", "-C", str(environments.ROOT)]
    parsed = subprocess.run(
        [*git, "rev-parse", "--verify", "--short", f"{commit}^{{commit}}"],
        capture_output=True,
        text=True,
        timeout=GIT_SECONDS,
        check=False,
    )
    if parsed.returncode:
        raise OSError(f"git does not know the commit {commit}: {parsed.stderr.strip()}")
    short = parsed.stdout.strip()
    packed = subprocess.run([*git, "archive", short], capture_output=True, timeout=GIT_SECONDS, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(directory, filter="data")
    return short


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make cost ARGS=…", description=__doc__)
    add = parser.add_argument
    add(
        "--base", default="HEAD", metavar="COMMIT", help="the old tree (HEAD, so that the new is what is not committed)"
    )
    add("--vs-dir", type=Path, default=environments.ROOT, metavar="DIR", help="the new tree (this checkout)")
    for name, what in (
        ("Shared", "and its tools with one Shared each"),
        ("key", "and a caller with an API key"),
        ("token", "and a caller with an access token that was seen before"),
    ):
        text = f"in place of two trees: one tree, {what}"
        add(f"--{name.lower()}", action="store_const", dest="beside", const=name, help=text)
    add("--processes", type=int, default=3, help="server processes for each tree and door (3)")
    add("--write", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
