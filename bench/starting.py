"""A server of the table as a process on the server's core, and what it costs: CPU, memory, time to its first answer.

Knows processes and ports; what is asked of the server is `dialects.py`'s, what is measured with it the works'.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from mcp_app.server.certificates import ensure

from . import environments
from .dialects import Call, WrongAnswer
from .peers import HOST
from .servers import Door, Server
from .wire import Wire, dial

PROGRAMS = Path(__file__).parent / "programs"
START_SECONDS = 30.0
POLL_SECONDS = 0.002
"""Between two attempts to connect: what the time to the first answer may be wrong by."""
REST_SECONDS = 0.3
"""After the first answer, before memory at rest is read."""
ECHO = {"text": "hello"}


@dataclass
class Cores:
    """Which core the server has, and which everything else."""

    server: int
    load: int

    @classmethod
    def of_this_process(cls) -> Cores:
        """The first two that may be used. Raises RuntimeError on a machine with one."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            raise RuntimeError("one core is not enough: server and load would take it from each other")
        return cls(*allowed[:2])


@dataclass
class Running:
    """A server that answers."""

    server: Server
    process: psutil.Process
    port: int
    tls_port: int
    ca: Path
    first_answer_s: float = 0.0
    first_answer_cpu_s: float = 0.0
    rest_mib: float = 0.0
    rates: dict[str, float] = field(default_factory=dict)
    logging: Running | None = None
    """The same server with its access log on, as another process; None where there is none."""

    def dial(self, door: Door, *, reading: bool = True) -> Wire:
        return dial(self.tls_port if door.tls else self.port, self.ca if door.tls else None, reading=reading)

    def url(self, call: Call, door: Door) -> str:
        return f"https://{HOST}:{self.tls_port}{call.path}" if door.tls else f"http://{HOST}:{self.port}{call.path}"

    @cached_property
    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Seconds of CPU so far, of all threads and child processes, in nanoseconds' resolution.

        /proc's ticks are 10 ms, too coarse for a second of load. The clock of another process is a number made of its
        id (Linux, include/linux/posix-timers_types.h: the id's complement, and 2 for time on the CPU).
        """
        return sum(time.clock_gettime((~each.pid << 3) | 2) for each in self._family)

    def memory_bytes(self) -> int:
        """Resident bytes, of child processes, too."""
        return sum(int(each.memory_info().rss) for each in self._family)


@dataclass
class Ground:
    """What all servers of one run share: certificates, a directory, the cores."""

    directory: Path
    cores: Cores

    @cached_property
    def certificates(self) -> tuple[Path, Path, Path]:
        made = ensure(self.directory / "certs")[0]
        return made.certificate, made.key, made.authority


@contextmanager
def ground() -> Iterator[Ground]:
    """A place to run in. This process, and so the load, stays on the load's core while it is entered."""
    before = os.sched_getaffinity(0)
    cores = Cores.of_this_process()
    os.sched_setaffinity(0, {cores.load})
    try:
        with tempfile.TemporaryDirectory(prefix="mcp-app-bench-") as directory:
            yield Ground(Path(directory), cores)
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(server: Server, place: Ground) -> Iterator[Running]:
    """Start it; it has given one right answer when this yields. It is killed in the end, however long it would take."""
    certificate, key, ca = place.certificates
    port, tls_port = free_ports(2)
    directory = Path(tempfile.mkdtemp(dir=place.directory, prefix=f"{server.name}-"))
    config = directory / "hypercorn.toml"
    config.write_text(hypercorn_toml(server, port, tls_port, certificate, key))
    program = PROGRAMS / server.program
    if server.program and environments.is_npm(server.environment):
        program = Path(shutil.copy(program, environments.path(server.environment)))
    values = {"port": port, "tls_port": tls_port, "config": config, "program": program, "programs": PROGRAMS}
    command = server.command.format(run=environments.interpreter(server.environment), **values)
    log = directory / "log"
    with log.open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen(
            ["taskset", "-c", str(place.cores.server), *shlex.split(command)],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(PROGRAMS), "NO_COLOR": "1", **server.settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        running = Running(server, psutil.Process(child.pid), port, tls_port, ca)
        try:
            _first_answer(running, child)
        except (OSError, WrongAnswer) as error:
            raise RuntimeError(f"{server.name} did not start: {error}; it said: {log.read_text()[-2000:]}") from error
        running.first_answer_s = time.perf_counter() - began
        running.first_answer_cpu_s = running.cpu_s()
        time.sleep(REST_SECONDS)
        running.rest_mib = running.memory_bytes() / 2**20
        yield running
    finally:
        with suppress(psutil.NoSuchProcess):
            for each in psutil.Process(child.pid).children(recursive=True):
                each.kill()
        child.kill()
        child.wait(START_SECONDS)


def _first_answer(running: Running, child: subprocess.Popen[bytes]) -> None:
    door = running.server.doors[0]
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            wire = running.dial(door)
            break
        except ConnectionRefusedError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
    try:
        door.dialect.check("echo", ECHO, wire.answer(wire.post(door.dialect.call("echo", ECHO))))
    finally:
        wire.close()


def hypercorn_toml(server: Server, port: int, tls_port: int, certificate: Path, key: Path) -> str:
    """What its hypercorn.toml says."""
    values = {
        "bind": f'["{HOST}:{tls_port}"]',
        "insecure_bind": f'["{HOST}:{port}"]',
        "certfile": f'"{certificate}"',
        "keyfile": f'"{key}"',
        **server.hypercorn,
    }
    return "".join(f"{name} = {value}\n" for name, value in values.items())


def free_ports(count: int) -> list[int]:
    """Ports nobody has now. Taken and given back: most servers cannot be told 0 and say what it became."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
