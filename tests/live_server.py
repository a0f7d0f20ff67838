"""A real Hypercorn on loopback for tests: TLS and plain, on ports the system chose, with a certificate made for it.

`serving(app)` runs an ASGI application in the test's own loop; `process(...)` runs `mcp-app serve` (or another command
that prints its URLs) as a process of its own. Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import re
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypercorn.asyncio.run
from hypercorn.asyncio.run import worker_serve as released_worker
from hypercorn.config import Config, Sockets
from hypercorn.logging import Logger
from hypercorn.utils import wrap_app

from mcp_app.server import binding
from mcp_app.server.certificates import Certificates, ensure
from mcp_app.server.engine.sharing import Siblings
from mcp_app.server.run import serve_async
from mcp_app.server.tls_context import Tls

released_run = hypercorn.asyncio.run._run
"""As `released_worker`: what `engine.install()` replaces, kept before anything installs it."""

START_SECONDS = 30.0
"""Generous: two cores, and other tests on them."""


def eventually(holds: Callable[[], object], what: Sequence[str] = (), seconds: float = START_SECONDS) -> None:
    """Wait until `holds()`, which is looked at often; an error with the last lines of `what` when it does not come."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "\n".join(what[-10:])
        time.sleep(0.02)


@functools.cache
def certificates() -> Certificates:
    """Development certificates in a temporary directory, made once per test process."""
    directory = Path(tempfile.mkdtemp(prefix="mcp-app-certs-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return ensure(directory)[0]


def client_tls(*alpn: str) -> ssl.SSLContext:
    """A client context that trusts the test certificates and offers `alpn` (default: h2)."""
    context = ssl.create_default_context(cafile=str(certificates().authority))
    context.set_alpn_protocols(list(alpn) or ["h2"])
    return context


@dataclass
class LiveServer:
    """Where the server under test is reached. `host` is 127.0.0.1; the certificate also names localhost and ::1."""

    port: int
    tls_port: int
    host: str = "127.0.0.1"
    ca: Path = field(default_factory=lambda: certificates().authority)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to make the server drain, as SIGTERM would (in-process only)."""
    task: asyncio.Task[None] | None = None
    """The server's task (in-process only): done when it has stopped."""
    process: subprocess.Popen[str] | None = None
    output: list[str] = field(default_factory=list)
    """The lines the process has printed so far (a process only)."""

    @property
    def url(self) -> str:
        """http://127.0.0.1:port, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        """https://127.0.0.1:port, without a slash at the end."""
        return f"https://{self.host}:{self.tls_port}"


def loopback_config(**settings: Any) -> Config:
    """The limits of hypercorn.toml that tests depend on, on 127.0.0.1 with ports 0, silent but for errors."""
    values: dict[str, Any] = {
        "bind": ["127.0.0.1:0"],
        "insecure_bind": ["127.0.0.1:0"],
        "certfile": str(certificates().certificate),
        "keyfile": str(certificates().key),
        "workers": 0,
        "h2_max_concurrent_streams": 128,
        "keep_alive_timeout": 75,
        "keep_alive_max_requests": 1_000_000,
        "graceful_timeout": 5,
        "shutdown_timeout": 20,
        "loglevel": "WARNING",
    }
    return Config.from_mapping(values | settings)


@asynccontextmanager
async def serving(
    app: Any, *, released: bool = False, tls: Tls | None = None, siblings: Siblings | None = None, **settings: Any
) -> AsyncIterator[LiveServer]:
    """Serve `app` in this loop while the block runs; `settings` are Hypercorn's, over those of `loopback_config`.

    By our engine, or by Hypercorn as released, for whoever wants to see a defect: with what error that ends is left to
    the test, in `server.task`. `tls` is in the place of what the settings say, for who changes it meanwhile; `siblings`
    are other servers at the same addresses.
    """
    config = loopback_config(**settings)
    sockets = binding.bind(config)
    server = LiveServer(
        port=sockets.insecure_sockets[0].getsockname()[1], tls_port=sockets.secure_sockets[0].getsockname()[1]
    )
    ready = asyncio.Event()
    serve = _serve_released if released else functools.partial(serve_async, tls=tls, siblings=siblings)
    server.task = asyncio.create_task(
        serve(app, config, sockets, shutdown=server.stop.wait, on_ready=lambda urls: ready.set())
    )
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({waiting, server.task}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if server.task.done():
            server.task.result()
        assert ready.is_set(), "the server did not start"
        yield server
    finally:
        waiting.cancel()
        server.stop.set()
        _, late = await asyncio.wait({server.task}, timeout=START_SECONDS)
        binding.close(sockets)
        if late:
            server.task.cancel()
            raise AssertionError("the server did not stop")
        if (error := server.task.exception()) is not None and not released:
            raise error


async def _serve_released(
    app: Any,
    config: Config,
    sockets: Sockets,
    *,
    shutdown: Callable[[], Awaitable[Any]],
    on_ready: Callable[[list[str]], None],
) -> None:
    """A line in its log for each socket is the only sign that Hypercorn gives of its being ready."""

    class Announcer(Logger):
        listening = 0

        async def info(self, message: str, *args: Any, **kwargs: Any) -> None:
            self.listening += message.startswith("Running on ")
            if self.listening == len(sockets.secure_sockets) + len(sockets.insecure_sockets):
                on_ready([])

    config.logger_class = Announcer
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    await released_worker(wrapped, config, sockets=sockets, shutdown_trigger=shutdown)


@contextmanager
def process(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    session: bool = False,
    descriptors: int | None = None,
    schemes: int = 2,
    status: int = 0,
) -> Iterator[LiveServer]:
    """Run `python -m mcp_app serve --bind 127.0.0.1:0 --insecure-bind 127.0.0.1:0 ARGUMENTS` in `cwd`.

    Yields when it has printed both URLs. At the end it is sent SIGTERM and must exit with status 0, unless the test has
    ended it itself. Certificates: those of `cwd` or the user's state directory, which is set to `cwd`. In a `session`
    of its own it has no terminal. `descriptors` is how many it may have open. Another server than ours may print fewer
    URLs (`schemes`) and end with another `status`.
    """
    ports = ["--bind", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0"]
    full = [*(command or [sys.executable, "-m", "mcp_app", "serve", *ports]), *arguments]
    root = str(Path(__file__).parent.parent)
    surroundings = {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(cwd)}
    child = subprocess.Popen(
        full,
        cwd=cwd,
        env=surroundings | dict(env or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=session,
    )
    if descriptors is not None:
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
    server = LiveServer(port=0, tls_port=0, process=child)
    started = threading.Event()
    reader = threading.Thread(target=_read, args=(server, started, schemes), daemon=True)
    reader.start()
    try:
        started.wait(START_SECONDS)
        assert server.port != 0, "the server did not start; it said:\n" + "\n".join(server.output)
        yield server
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        late = is_late(child)
        reader.join(START_SECONDS)
        assert child.stdout is not None
        child.stdout.close()
    assert not late, "the server did not stop; it said:\n" + "\n".join(server.output)
    assert child.returncode == status, f"exit status {child.returncode}:\n" + "\n".join(server.output)


def _read(server: LiveServer, started: threading.Event, schemes: int) -> None:
    """Read the child's lines until its end (a full pipe would stop it); the ports are in the first of them."""
    assert server.process is not None
    assert server.process.stdout is not None
    ports: dict[str, int] = {}
    for line in server.process.stdout:
        server.output.append(line.rstrip("\n"))
        for scheme, port in () if started.is_set() else re.findall(r"(https?)://[^\s/]+:(\d+)", line):
            ports.setdefault(scheme, int(port))
        if len(ports) == schemes and not started.is_set():
            server.port, server.tls_port = ports["http"], ports.get("https", 0)
            started.set()
    started.set()


def is_late(child: subprocess.Popen[Any]) -> bool:
    """Wait for the child's end; kill it and return True when it does not come."""
    try:
        child.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(START_SECONDS)
        return True
    return False
