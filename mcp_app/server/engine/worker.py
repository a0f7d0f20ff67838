"""Serves one application on bound sockets in the running loop: startup, accept, shutdown. In place of Hypercorn's
`worker_serve`.

Shutdown order: for shutdown_delay all goes on, but for what is said of being ready; callbacks subscribed to `draining`
are called and awaited; listening sockets and idle connections are closed; active connections have until the end of the
graceful timeout. This holds on every Python: as released, from
3.12 on a process does not exit while a client keeps a stream open (https://github.com/pgjones/hypercorn/issues/308,
https://github.com/pgjones/hypercorn/pull/374).

Sockets are bound elsewhere; this module does not look at bytes.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from importlib.metadata import version
from multiprocessing import current_process, parent_process
from random import randint
from socket import socket
from typing import Any, NamedTuple

from hypercorn.config import Config, Sockets
from hypercorn.typing import AppWrapper
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError, repr_socket_addr, wrap_app

from .. import addresses, binding, children, hangup, main_task
from ..errors import StartError, lifespan_line
from ..hosting import hosted
from ..logs.access import choose
from ..logs.loggers import take_over
from ..tls_context import Tls
from . import draining, malformed
from .accepting import AcceptingSocket, Serve
from .admission import DEFAULTS, MAX_CONNECTIONS, MAX_PER_ADDRESS, Admission, ConnectionPlace, possible
from .connection import Connection
from .context import ServerContext
from .retiring import hand_over
from .sharing import Siblings

TESTED = ("0.18.0",)
"""The Hypercorn versions whose classes the engine's were written against. For any other,
tests/server/test_fingerprints.py says what to read."""

log = logging.getLogger("mcp_app.server")

PROCESSES_KEY = "mcp_app.processes"
PAGE_KEY = "mcp_app.page"
"""Where an application finds how many processes serve without a supervisor, and the page of one that has one."""

MOST_BESIDE = 32
"""Connections of an application beside: of descriptors that `admission` keeps free."""

Tasks = set[asyncio.Task[Any]]


class ApplicationBeside(NamedTuple):
    """Another application, which has no lifespan, without TLS at listening sockets of its own."""

    app: Any
    sockets: Sequence[socket]


async def serve(
    app: AppWrapper,
    config: Config,
    sockets: Sockets,
    shutdown: Callable[[], Awaitable[object]],
    ready: Callable[[], Awaitable[object]],
    tls: Tls | None = None,
    siblings: Siblings | None = None,
    beside: ApplicationBeside | None = None,
) -> None:
    """Serve `app` on `sockets` until `shutdown()` returns, then shut down in the order above; or until it is replaced
    by one of its `siblings`, then first finish what has begun (`retiring`). `beside` is served meanwhile.

    `tls` is in the place of what `config` says, for who changes it meanwhile. `ready()` is awaited once, when every
    socket accepts connections; not if `shutdown()` returns before the application has started. Raises Hypercorn's
    LifespanFailureError and LifespanTimeoutError if the application's startup or shutdown fails, and StartError for an
    HTTP/3 socket.
    """
    if version("hypercorn") not in TESTED:
        log.warning("hypercorn %s has not been tested with this mcp_app, %s has", version("hypercorn"), TESTED[-1])
    children.keep_listening((*sockets.secure_sockets, *sockets.insecure_sockets, *(beside.sockets if beside else ())))
    if sockets.quic_sockets:
        raise StartError("quic_bind: HTTP/3 is not served: remove it")
    choose(config)
    context = ServerContext(_max_requests(config))
    state = {
        draining.STATE_KEY: context.draining.subscribe,
        draining.STOPPING_KEY: lambda: context.is_stopping,
        malformed.STATE_KEY: lambda: context.malformed.total,
        PROCESSES_KEY: _separate_processes(config),
        PAGE_KEY: None if siblings is None else siblings.page,
    }
    loop = asyncio.get_running_loop()
    tasks: Tasks = set()

    async def serve_connection(
        asked: AppWrapper, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: ConnectionPlace
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in its own task
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        children.keep_connection(writer)
        await Connection(asked, loop, config, context, state, reader, writer, place).run()

    ordered = asyncio.ensure_future(shutdown())
    try:
        async with hosted(app, config, state, ordered) as serving:
            if not serving:
                ordered.result()
                return
            listeners = _listen(config, tls, sockets, partial(serve_connection, app), siblings)
            if beside is not None:
                wrapped = wrap_app(beside.app, config.wsgi_max_body_size, "asgi")
                listeners += _listen_beside(config, beside.sockets, partial(serve_connection, wrapped))
            try:
                await ready()
                handed_over = [] if siblings is None else [_handed_over(siblings, context, listeners)]
                await _wait_for_first(ordered, context.terminate.wait(), *handed_over)
                if not context.is_retiring:  # then nothing new comes
                    context.is_stopping = True
                    await asyncio.sleep(getattr(config, draining.SHUTDOWN_DELAY, 0))
            finally:
                await _shut_down(config, context, listeners, tasks)
    finally:
        ordered.cancel()


async def worker_serve(
    app: AppWrapper,
    config: Config,
    *,
    sockets: Sockets | None = None,
    shutdown_trigger: Callable[..., Awaitable[object]] | None = None,
) -> None:
    """Replaces Hypercorn's function of this name after `install()`. Without a trigger, serves until SIGTERM or
    SIGINT."""
    choose(config)
    if sockets is not None:  # bound by Hypercorn's command, whose process this is; a program's own `serve()` has none
        take_over(config)
    tls = Tls(config) if config.ssl_enabled else None
    bound = config.create_sockets() if sockets is None else sockets
    if shutdown_trigger is None:
        shutdown = _signal_trigger(config, tls, signal.SIGTERM, signal.SIGINT)
    elif _is_worker_process():
        shutdown = _any_trigger(shutdown_trigger, _signal_trigger(config, tls, signal.SIGTERM))
    else:
        shutdown = shutdown_trigger

    async def log_addresses() -> None:
        for scheme, scheme_sockets in (("https", bound.secure_sockets), ("http", bound.insecure_sockets)):
            for sock in scheme_sockets:
                address = repr_socket_addr(sock.family, sock.getsockname())
                await config.log.info(f"Running on {scheme}://{address} (CTRL + C to quit)")

    try:
        await serve(app, config, bound, shutdown, log_addresses, tls)
    finally:
        if sockets is None:
            binding.close(bound)


def run_worker(
    main: Callable[..., Coroutine[Any, Any, None]],
    *,
    debug: bool = False,
    shutdown_trigger: Callable[..., Awaitable[object]] | None = None,
    loop_factory: main_task.LoopFactory | None = None,
) -> None:
    """Replaces Hypercorn's `_run` after `install()`: as released, a SystemExit in any task ends the server.

    An application that does not start is one line and status 1, not a traceback through the server.
    """
    try:
        main_task.run(main(shutdown_trigger=shutdown_trigger), debug=debug, loop_factory=loop_factory)
    except (LifespanFailureError, LifespanTimeoutError) as error:
        sys.exit(f"mcp-app: {lifespan_line(error)}")


def _signal_trigger(config: Config, tls: Tls | None, *numbers: int) -> Callable[[], Awaitable[object]]:
    """A function that waits for the first of these signals, or for the end of the terminal."""
    received = asyncio.Event()
    hangup.listen(config, tls, lambda: None, received.set)  # Hypercorn ends nothing by force
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, received.set)
    return received.wait


def _is_worker_process() -> bool:
    """Whether this is one of Hypercorn's worker processes, which as released is killed by SIGTERM with all of its
    streams.

    Each worker gets a SIGTERM: from its parent, as soon as the first of the workers has stopped, and from a service
    manager that signals the whole process group.
    """
    return parent_process() is not None and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def _separate_processes(config: Config) -> int:
    """How many processes of Hypercorn's own mode serve, each without a word of the others. The first tells, for all."""
    is_first = parent_process() is not None and current_process().name.endswith("-1")
    return max(1, config.workers) if is_first else 1


def _any_trigger(*triggers: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    async def shutdown() -> None:
        await _wait_for_first(*(trigger() for trigger in triggers))

    return shutdown


def _max_requests(config: Config) -> int | None:
    return None if config.max_requests is None else config.max_requests + randint(0, config.max_requests_jitter)  # noqa: S311 - only spreads the restarts of the workers; need not be unpredictable


def _listen(
    config: Config, tls: Tls | None, sockets: Sockets, serve_connection: Serve, siblings: Siblings | None
) -> list[AcceptingSocket]:
    most, per_address = (getattr(config, key, DEFAULTS[key]) for key in (MAX_CONNECTIONS, MAX_PER_ADDRESS))
    admission = Admission(possible(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), per_address)
    for sock in (*sockets.secure_sockets, *sockets.insecure_sockets):
        sock.listen(config.backlog)
    tls = tls or (Tls(config) if sockets.secure_sockets else None)
    shared = None if siblings is None else siblings.connections
    return [
        *(
            AcceptingSocket(sock, serve_connection, admission, tls.context, config.ssl_handshake_timeout, shared)
            for sock in sockets.secure_sockets
            if tls is not None
        ),
        *(AcceptingSocket(sock, serve_connection, admission, shared=shared) for sock in sockets.insecure_sockets),
    ]


def _listen_beside(config: Config, sockets: Sequence[socket], serve_connection: Serve) -> list[AcceptingSocket]:
    """Whatever connections others have, there is room for some here."""
    admission = Admission(MOST_BESIDE, 0)
    for sock in sockets:
        sock.listen(config.backlog)
    return [AcceptingSocket(sock, serve_connection, admission) for sock in sockets]


async def _handed_over(siblings: Siblings, context: ServerContext, listeners: list[AcceptingSocket]) -> None:
    seconds = await siblings.replaced()
    siblings.page.leave()
    await hand_over(context, listeners, seconds)


async def _wait_for_first(*awaitables: Awaitable[object]) -> None:
    """Wait until one of them is done. Raises that one's exception."""
    tasks = {asyncio.ensure_future(each) for each in awaitables}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


async def _shut_down(config: Config, context: ServerContext, listeners: list[AcceptingSocket], tasks: Tasks) -> None:
    """Return when every connection has ended.

    A connection that is open at the end of the graceful timeout is aborted: its applications receive http.disconnect
    and have as long again; then their tasks are cancelled. A task that ignores cancellation is awaited without a bound.
    """
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    abort_timer = loop.call_later(config.graceful_timeout, context.abort_connections)
    if addresses.are_inherited(config.bind):  # what comes from now on waits for the next process, and is not refused
        for listener in listeners:
            listener.stop_accepting()
    await context.draining.begin()
    await context.terminate_requests()
    for listener in listeners:
        listener.close()
    await _wait_for_tasks(tasks, started_at + 2 * config.graceful_timeout - loop.time())
    abort_timer.cancel()
    for task in tasks:
        task.cancel()
    await _wait_for_tasks(tasks)


async def _wait_for_tasks(tasks: Tasks, seconds: float | None = None) -> None:
    """Wait until no task is left, including those added meanwhile: a TLS handshake may just have completed."""
    try:
        async with asyncio.timeout(seconds):
            while tasks:
                await asyncio.wait(tasks)
    except TimeoutError:
        pass
