"""An ASGI application that runs without a socket: its startup, its drain and its shutdown, as a server orders them.

Who asks it anything, and how, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError, wrap_app

from .engine import draining
from .errors import StartError, lifespan_line

Drain = Callable[[], Awaitable[None]]
"""Tells the application that its end begins, and waits for it as long as a server does."""


@asynccontextmanager
async def hosted(app: ASGIFramework, config: Config) -> AsyncIterator[Drain]:
    """`app` between its startup and its shutdown, which are ASGI's lifespan, bounded by `config`.

    Raises `StartError` if one of them fails.
    """
    loop = asyncio.get_running_loop()
    callbacks = draining.DrainCallbacks()
    state = {draining.STATE_KEY: callbacks.subscribe}
    lifespan = Lifespan(wrap_app(app, config.wsgi_max_body_size, "asgi"), config, loop, state)
    application = loop.create_task(lifespan.handle_lifespan())
    try:
        await lifespan.wait_for_startup()
        if application.done():
            application.result()
        try:
            yield callbacks.begin
        finally:
            await lifespan.wait_for_shutdown()
            if application.done():
                application.result()
    except (LifespanFailureError, LifespanTimeoutError) as error:
        raise StartError(lifespan_line(error)) from error
    finally:
        application.cancel()
        await asyncio.wait({application})
