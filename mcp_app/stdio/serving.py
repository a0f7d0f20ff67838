"""Serves one client over standard input and output, from the start of the application to the end of the process.

The client ends it by closing its end: "Servers SHOULD exit promptly when their standard input is closed" (2026-07-28,
stdio, Shutdown). So do SIGTERM, a client that does not read because it has left, and the end of the process that
started this one, whose end of the pipe somebody else may have inherited. What a message is, is not known here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable

from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from ..aio import cancelling
from ..dialects.mcp.speaker import McpSpeaker
from ..server import forced_exit, main_task, stopping
from ..server.engine import draining
from ..server.engine.draining import DRAIN_SECONDS
from ..server.errors import StartError
from ..server.hosting import hosted, lifespan_errors_named
from ..server.logs.access import choose
from ..server.logs.loggers import take_over
from ..server.run import log_errors_named, loop_factory
from .connection import StdioConnection
from .descriptors import Descriptors
from .lines import LineSplitter
from .threads import InputThread, OutputThread

log = logging.getLogger("mcp_app.server")

LAST_ANSWERS_SECONDS = 0.5
"""After the end of input, how long calls that were read before may still take: `echo '{…}' | mcp-app serve --stdio` is
answered, and official clients, which send SIGTERM after 2 s and SIGKILL after 2 more, find the process gone."""

FLUSH_SECONDS = 0.5
"""For the last messages of a client that does not read."""

PARENT_SECONDS = 1.0
"""Between two looks at who the parent is: a system without clients loses a second, an idle process nothing."""

Speaker = Callable[[], McpSpeaker]


def serve(app: ASGIFramework, speaker: Speaker, config: Config, descriptors: Descriptors) -> int:
    """Serve until the client has left or the process is told to stop, and return the exit status: 0, even if calls had
    to be ended. `speaker()` is the dialect of `app` once that has started.

    Raises `StartError` if the application does not start, or its client cannot be written to.
    """
    with log_errors_named():
        take_over(config)
        choose(config)
        config.log  # noqa: B018 - opens the log files
    serving = forced_exit.bounded(_serve(app, speaker, config, descriptors))
    main_task.run(serving, debug=config.debug, loop_factory=loop_factory(config))
    return 0


async def _serve(app: ASGIFramework, speaker: Speaker, config: Config, descriptors: Descriptors) -> None:
    end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    seconds = LAST_ANSWERS_SECONDS + DRAIN_SECONDS + 3 * FLUSH_SECONDS + config.shutdown_timeout
    seconds += forced_exit.MARGIN_SECONDS
    stopping.listen(config, None, seconds, lambda: _settle(end, "told to stop"))
    watching = asyncio.create_task(_watch_parent(descriptors.parent, end))
    callbacks = draining.DrainCallbacks()
    state = {draining.STATE_KEY: callbacks.subscribe}
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    try:
        with lifespan_errors_named():
            async with hosted(wrapped, config, state, end) as serving:
                if serving:
                    await _talk(speaker(), descriptors, end, lambda: forced_exit.exit_after(seconds), callbacks.begin)
    finally:
        await cancelling.end({watching})


async def _talk(
    speaker: McpSpeaker,
    descriptors: Descriptors,
    end: asyncio.Future[str],
    force: Callable[[], None],
    drain: Callable[[], Awaitable[None]],
) -> None:
    """Serve the client of an application that has started. `force` is called at the end, which may fail."""
    failures: list[OSError] = []

    def fail(error: OSError) -> None:
        failures.append(error)
        _settle(end, "the client does not read any more")

    output = OutputThread(descriptors.outgoing, fail)
    incoming = InputThread(descriptors.incoming, force)
    connection = await StdioConnection.open(speaker, output.send)
    reading = asyncio.create_task(_read(connection, incoming, output))
    reading.add_done_callback(lambda _: _settle(end, "end of input"))
    watching = asyncio.create_task(_watch_unread(incoming, output, end))
    try:
        reason = await end
        force()
        if reading.done():
            await connection.settle(LAST_ANSWERS_SECONDS)
        log.info("ending, %s", reason)
        await drain()
    finally:
        await cancelling.end({reading, watching})
        await connection.close(FLUSH_SECONDS)
        await output.flush(FLUSH_SECONDS)
    if not reading.cancelled():
        reading.result()
    if failures and failures[0].errno != errno.EPIPE:
        raise StartError(f"standard output cannot be written: {failures[0].strerror}")


async def _read(connection: StdioConnection, incoming: InputThread, output: OutputThread) -> None:
    """Receive messages to the end of input; none while the client has too much to read."""
    lines = LineSplitter()
    while piece := await incoming.read():
        for line in lines.feed(piece):
            await output.room()
            await connection.receive(line)
            await asyncio.sleep(0)  # so that a burst of small requests is answered one by one, not held in memory
    for line in lines.end():
        await connection.receive(line)


async def _watch_unread(incoming: InputThread, output: OutputThread, end: asyncio.Future[str]) -> None:
    """A client that has closed its end and reads nothing either waits for no answer: what it wrote last is not read."""
    await incoming.ended.wait()
    await output.stalled(LAST_ANSWERS_SECONDS)
    _settle(end, "end of input")


async def _watch_parent(parent: int, end: asyncio.Future[str]) -> None:
    """A process whose parent has ended gets another one."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of it on every system
        await asyncio.sleep(PARENT_SECONDS)
    _settle(end, "the process that started this one has ended")


def _settle(end: asyncio.Future[str], reason: str) -> None:
    if not end.done():
        end.set_result(reason)
