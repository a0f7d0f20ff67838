"""Serves an ASGI application with Hypercorn in this process, until SIGTERM, SIGINT or the end of its terminal.

Addresses, certificates and limits are determined before (`configuration`), sockets bound in `binding`, or by the
supervisor whose worker this process is; the application is the caller's. Hypercorn's worker processes are not used:
with them a failed start exits with status 0, and a signal to the process group cuts every stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypercorn.config import Config, Sockets
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from mcp_app.server import binding, forced_exit, main_task, sd_notify, stopping
from mcp_app.server.addresses import urls
from mcp_app.server.engine import worker
from mcp_app.server.engine.sharing import Siblings
from mcp_app.server.errors import StartError
from mcp_app.server.hosting import lifespan_errors_named
from mcp_app.server.logs.access import choose
from mcp_app.server.logs.loggers import take_over
from mcp_app.server.supervised import OnReady, Supervised
from mcp_app.server.tls_context import Tls

log = logging.getLogger("mcp_app.server")


def serve(
    app: ASGIFramework,
    config: Config,
    on_ready: OnReady | None = None,
    supervised: Supervised | None = None,
    beside: worker.ApplicationBeside | None = None,
) -> int:
    """Serve `app` until SIGTERM or SIGINT and return the exit status: 0, even if streams had to be ended. As a worker,
    `supervised`, also until its supervisor says so or is gone. `beside` is served, too.

    Raises `StartError` if an address cannot be bound, the certificate cannot be used, or the application's startup
    fails. A second signal ends the process at once.
    """
    sockets = binding.bind(config) if supervised is None else supervised.sockets
    try:
        with log_errors_named():
            take_over(config)
        main_task.run(
            forced_exit.bounded(_serve_until_signal(app, config, sockets, on_ready, supervised, beside)),
            debug=config.debug,
            loop_factory=loop_factory(config),
        )
    finally:
        binding.close(sockets)
    return 0


async def serve_async(
    app: ASGIFramework,
    config: Config,
    sockets: Sockets,
    *,
    shutdown: Callable[[], Awaitable[Any]],
    on_ready: OnReady | None = None,
    tls: Tls | None = None,
    siblings: Siblings | None = None,
    beside: worker.ApplicationBeside | None = None,
) -> None:
    """Serve `app` on bound `sockets` in the running loop until `shutdown()` returns, or one of its `siblings` has
    replaced this process; by `tls`, if it is to be changed meanwhile. Raises `StartError` if the application's startup
    fails.
    """
    choose(config)
    with log_errors_named():
        config.log  # noqa: B018 - opens the log files, which Hypercorn otherwise does with its first line

    async def ready() -> None:
        if on_ready is not None:
            on_ready(urls(sockets))

    with lifespan_errors_named():
        wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
        await worker.serve(wrapped, config, sockets, shutdown, ready, tls, siblings, beside)


async def _serve_until_signal(
    app: ASGIFramework,
    config: Config,
    sockets: Sockets,
    on_ready: OnReady | None,
    supervised: Supervised | None,
    beside: worker.ApplicationBeside | None,
) -> None:
    requested = asyncio.Event()
    tls = Tls(config) if config.ssl_enabled else None

    def stop() -> None:
        sd_notify.notify(sd_notify.STOPPING)
        requested.set()

    def ready(found: list[str]) -> None:
        if on_ready is not None:
            on_ready(found)
        sd_notify.notify(sd_notify.READY)
        sd_notify.keep_alive(asyncio.get_running_loop())

    seconds = forced_exit.shutdown_seconds(config)
    stopping.listen(config, tls, seconds, stop)
    siblings = None
    if supervised is not None:
        on_ready = supervised.announcing(on_ready)
        siblings = supervised.listen(stop, seconds)
    await serve_async(
        app,
        config,
        sockets,
        shutdown=requested.wait,
        on_ready=ready,
        tls=tls,
        siblings=siblings,
        beside=beside,
    )


def loop_factory(config: Config) -> main_task.LoopFactory | None:
    """What makes the event loop that `config` names; None for asyncio's own. Raises `StartError`."""
    if config.worker_class == "asyncio":
        return None
    if config.worker_class == "uvloop":
        try:
            import uvloop
        except ImportError as error:
            raise StartError("worker_class is uvloop, which is not installed: pip install uvloop") from error
        return uvloop.new_event_loop
    raise StartError(f"worker_class {config.worker_class!r} is not served: use 'asyncio' or 'uvloop'")


@contextmanager
def log_errors_named() -> Iterator[None]:
    """Raise `StartError` where the log cannot be opened."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise StartError(f"the log cannot be written as configured (accesslog, errorlog, loglevel): {error}") from error
