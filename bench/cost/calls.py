"""The instructions of one call of each kind, counted in one server process of one tree, by one door.

Start-up is not counted, nor is what asks: that is this process. Nothing is compared here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from .. import servers
from ..dialects import JSON, MCP, PLAIN, STREAM, Dialect, WrongAnswer
from ..starting import ECHO, PROGRAMS, free_ports, hypercorn_toml
from ..wire import Wire, dial
from .callers import Known
from .counters import Counter
from .figures import Cell, Counts

DOORS = ("lane", "quart")
"""Past Quart, and through it (docs/architecture.md)."""
PROTOCOLS = ("HTTP/1.1", "h2")
"""Both in the clear: TLS is OpenSSL's work, the same in each tree, and would only hide a difference."""
WARM_CALLS = 25
"""Until caches are filled, and CPython has specialised the bytecode that runs often."""
START_SECONDS = 120.0
"""A start takes 4 s by valgrind on an idle machine."""
POLL_SECONDS = 0.1
STOP_SECONDS = 30.0
TOOLS = "ours_tools.py"
"""What is served, of bench/programs."""


class Work(NamedTuple):
    """One kind of call."""

    name: str
    dialect: Dialect
    tool: str
    arguments: Mapping[str, Any]
    content_type: str
    """Of each answer. A slow server may answer a call with a stream instead of JSON, which is other work."""


WORKS = (
    Work("echo", MCP, "echo", ECHO, JSON),
    Work("ten events", MCP, "events", {"count": 10}, STREAM),
    Work("ten events, plain", PLAIN, "events", {"count": 10}, STREAM),
)


class Process(NamedTuple):
    """What server to start: the checkout it comes from, the door, the seed of its string hashes, what it serves; who
    calls it."""

    tree: Path
    door: str
    hash_seed: int
    tools: str = TOOLS
    caller: Known = Known()


def instructions(process: Process, certificates: tuple[Path, Path], directory: Path, counter: Counter) -> Counts:
    """Instructions of one call in each cell. `certificates`: certificate and key; `directory`: the server's alone.

    Raises RuntimeError when the server does not start, WrongAnswer, Lost, and what the counter raises.
    """
    found: Counts = {}
    with _served(process, certificates, directory, counter) as (pid, port):
        counter.prepare(pid, directory)
        for protocol in PROTOCOLS:
            for work in WORKS:
                wire = dial(port, None, http2=protocol == "h2")
                try:
                    _call(wire, work, WARM_CALLS, process.caller)
                    total = counter.count(pid, directory, partial(_call, wire, work, counter.calls, process.caller))
                finally:
                    wire.close()
                found[Cell(work.name, protocol, process.door)] = total / counter.calls
    return found


def _call(wire: Wire, work: Work, times: int, caller: Known) -> None:
    call = work.dialect.call(work.tool, work.arguments)
    if caller.authorization:
        call = replace(call, headers=(*call.headers, ("authorization", caller.authorization)))
    for _ in range(times):
        answer = wire.answer(wire.post(call))
        work.dialect.check(work.tool, work.arguments, answer)
        if not answer.content_type.startswith(work.content_type):
            raise WrongAnswer(f"{work.name}: {answer.content_type} instead of {work.content_type}")


@contextmanager
def _served(
    process: Process, certificates: tuple[Path, Path], directory: Path, counter: Counter
) -> Iterator[tuple[int, int]]:
    """The server's process id and port, once it answers. It is killed in the end."""
    [server] = servers.named(["mcp_app"])
    port, tls_port = free_ports(2)
    config = directory / "hypercorn.toml"
    config.write_text(hypercorn_toml(server, port, tls_port, *certificates))
    command = [sys.executable, str(PROGRAMS / "ours_by_door.py"), str(process.tree), process.door]
    command += ["serve", "--config", str(config), str(PROGRAMS / process.tools)]
    log = directory / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            counter.command(directory, command),
            cwd=directory,
            env=_environment(process),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        try:
            _wait_for_answer(child, port, process.caller)
        except (OSError, WrongAnswer) as error:
            written = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{process} did not start: {error}; its output: {written}") from error
        yield child.pid, port
    finally:
        child.kill()
        child.wait(STOP_SECONDS)


def _environment(process: Process) -> dict[str, str]:
    """This process's, without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MCP_APP_")}
    fixed = {"PYTHONPATH": str(process.tree), "PYTHONHASHSEED": str(process.hash_seed)}
    return {**kept, **fixed, **dict(process.caller.environment)}


def _wait_for_answer(child: subprocess.Popen[bytes], port: int, caller: Known) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            wire = dial(port, None)
            break
        except ConnectionRefusedError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
    try:
        _call(wire, WORKS[0], 1, caller)
    finally:
        wire.close()
