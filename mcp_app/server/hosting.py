"""An application between its startup and its shutdown, which are ASGI's lifespan, bounded by the configuration.

Who asks it anything, and how, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, LifespanState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError

from .errors import StartError, lifespan_line

STARTING_SECONDS = 0.5
"""How long an application that is starting has when a stop is ordered: one that has nearly started ends in order, any
other is cancelled."""


@asynccontextmanager
async def hosted(
    app: AppWrapper, config: Config, state: LifespanState, ordered: asyncio.Future[Any]
) -> AsyncIterator[bool]:
    """Start `app`, and stop it at the end of the block. Yields whether it is to be asked anything: not if a stop is
    `ordered` before it has started, which may take minutes.

    `state` is what the application is given. Raises Hypercorn's LifespanFailureError and LifespanTimeoutError if its
    startup or shutdown fails.
    """
    loop = asyncio.get_running_loop()
    lifespan = Lifespan(app, config, loop, state)
    application = loop.create_task(lifespan.handle_lifespan())
    try:
        started = await _started(lifespan, ordered)
        if started and application.done():
            application.result()
        try:
            yield started and not ordered.done()
        finally:
            if started:
                await lifespan.wait_for_shutdown()
    finally:
        application.cancel()
        await asyncio.wait({application})
    if started and not application.cancelled():
        application.result()


@contextmanager
def lifespan_errors_named() -> Iterator[None]:
    """Raise `StartError` where an application does not start, or does not stop."""
    try:
        yield
    except (LifespanFailureError, LifespanTimeoutError) as error:
        raise StartError(lifespan_line(error)) from error


async def _started(lifespan: Lifespan, ordered: asyncio.Future[Any]) -> bool:
    """Wait until the application has started; False where a stop is `ordered` meanwhile."""
    starting = asyncio.ensure_future(lifespan.wait_for_startup())
    try:
        either: set[asyncio.Future[Any]] = {starting, ordered}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({starting}, timeout=STARTING_SECONDS)
        if starting.done():
            starting.result()
        return starting.done()
    finally:
        starting.cancel()
