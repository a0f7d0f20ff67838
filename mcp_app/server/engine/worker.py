"""Serving one application on bound sockets in the running loop: start, accept, stop. In the place of Hypercorn's
`worker_serve`.

The stop, in its order: who has subscribed is told, and what it waits for is waited for (`draining`); no more is
accepted, and what is idle is closed; what works has until the graceful time is over. It holds on every Python: from
3.12 on, released, a process does not exit while a client keeps a stream open
(https://github.com/pgjones/hypercorn/issues/308, https://github.com/pgjones/hypercorn/pull/374).

Sockets are made elsewhere; no byte is looked at here.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from multiprocessing import parent_process
from random import randint
from typing import Any

from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.statsd import StatsdLogger
from hypercorn.config import Config, Sockets
from hypercorn.typing import AppWrapper
from hypercorn.utils import repr_socket_addr

from .. import binding
from ..errors import StartError
from .connection import Connection
from .context import Context
from .draining import STATE_KEY

TESTED = ("0.18.0",)
"""The Hypercorn whose classes ours extend. Of another one tests/server/test_fingerprints.py says what to read."""

log = logging.getLogger("mcp_app.server")

Tasks = set[asyncio.Task[Any]]


async def serve(
    app: AppWrapper,
    config: Config,
    sockets: Sockets,
    shutdown: Callable[[], Awaitable[object]],
    ready: Callable[[], Awaitable[object]],
) -> None:
    """Serve `app` on `sockets` until `shutdown()` returns, then stop as said above.

    `ready()` is awaited once, when every socket accepts connections. Raises Hypercorn's LifespanFailureError and
    LifespanTimeoutError when the application does not start or stop, and StartError for a socket of HTTP/3.
    """
    if version("hypercorn") not in TESTED:
        log.warning("hypercorn %s has not been tested with this mcp_app, %s has", version("hypercorn"), TESTED[-1])
    if sockets.quic_sockets:
        raise StartError("quic_bind: HTTP/3 is not served: remove it")
    config.set_statsd_logger_class(StatsdLogger)
    context = Context(_max_requests(config))
    state = {STATE_KEY: context.draining.subscribe}
    loop = asyncio.get_running_loop()
    lifespan = Lifespan(app, config, loop, state)
    application = loop.create_task(lifespan.handle_lifespan())
    tasks: Tasks = set()

    async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task of its own
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await Connection(app, loop, config, context, state, reader, writer).run()

    try:
        await lifespan.wait_for_startup()
        if application.done():
            application.result()
        servers = await _listen(config, sockets, serve_connection)
        try:
            await ready()
            await _first_of(shutdown(), context.terminate.wait())
        finally:
            await _stop(config, context, servers, tasks)
            await lifespan.wait_for_shutdown()
    finally:
        application.cancel()
        await asyncio.wait({application})
    if not application.cancelled():
        application.result()


async def worker_serve(
    app: AppWrapper,
    config: Config,
    *,
    sockets: Sockets | None = None,
    shutdown_trigger: Callable[..., Awaitable[object]] | None = None,
) -> None:
    """As Hypercorn's, which `install()` replaces by it: until SIGTERM or SIGINT where nothing else ends it."""
    bound = config.create_sockets() if sockets is None else sockets
    if shutdown_trigger is None:
        shutdown = _signal(signal.SIGTERM, signal.SIGINT)
    elif _is_a_worker():
        shutdown = _either(shutdown_trigger, _signal(signal.SIGTERM))
    else:
        shutdown = shutdown_trigger

    async def announce() -> None:
        for scheme, of_scheme in (("https", bound.secure_sockets), ("http", bound.insecure_sockets)):
            for sock in of_scheme:
                address = repr_socket_addr(sock.family, sock.getsockname())
                await config.log.info(f"Running on {scheme}://{address} (CTRL + C to quit)")

    try:
        await serve(app, config, bound, shutdown, announce)
    finally:
        if sockets is None:
            binding.close(bound)


def _signal(*numbers: int) -> Callable[[], Awaitable[object]]:
    """Waits for the first of these signals."""
    asked = asyncio.Event()
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked.wait


def _is_a_worker() -> bool:
    """Whether this is a worker process of Hypercorn's, which as released SIGTERM kills with all of its streams.

    Each gets one: from its parent, as soon as the first of the workers has stopped, and from a service manager that
    signals the whole group.
    """
    return parent_process() is not None and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def _either(*triggers: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    async def shutdown() -> None:
        await _first_of(*(trigger() for trigger in triggers))

    return shutdown


def _max_requests(config: Config) -> int | None:
    return None if config.max_requests is None else config.max_requests + randint(0, config.max_requests_jitter)  # noqa: S311 - workers must not restart together, and nobody guesses when


async def _listen(
    config: Config, sockets: Sockets, callback: Callable[..., Awaitable[None]]
) -> list[asyncio.AbstractServer]:
    tls = config.create_ssl_context()
    patience = config.ssl_handshake_timeout
    servers: list[asyncio.AbstractServer] = []
    for sock in sockets.secure_sockets:
        servers.append(
            await asyncio.start_server(
                callback, sock=sock, backlog=config.backlog, ssl=tls, ssl_handshake_timeout=patience
            )
        )
    for sock in sockets.insecure_sockets:
        servers.append(await asyncio.start_server(callback, sock=sock, backlog=config.backlog))
    return servers


async def _first_of(*waited_for: Awaitable[object]) -> None:
    """Wait until one of them is done. Raises what that one raised."""
    tasks = {asyncio.ensure_future(each) for each in waited_for}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


async def _stop(config: Config, context: Context, servers: list[asyncio.AbstractServer], tasks: Tasks) -> None:
    """Returns when every connection has ended. One that is open at the end of the graceful time is aborted: its
    applications hear that their clients have left, and have as long again; then they are cancelled. Who refuses even
    that is waited for without bound."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    abort = loop.call_later(config.graceful_timeout, context.abort)
    await context.draining.begin()
    await context.terminated.set()
    for server in servers:
        server.close()
    context.close_idle()
    await _ended(tasks, begun + 2 * config.graceful_timeout - loop.time())
    abort.cancel()
    for task in tasks:
        task.cancel()
    await _ended(tasks)


async def _ended(tasks: Tasks, seconds: float | None = None) -> None:
    """Wait until no task is left, also of those that come meanwhile: a handshake of TLS may just have been done."""
    try:
        async with asyncio.timeout(seconds):
            while tasks:
                await asyncio.wait(tasks)
    except TimeoutError:
        pass
