"""How what tests have made comes to its end: stages, and the runs and streams of an endpoint. Not a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from mcp_app.runs import Runs
from mcp_app.web.frames import Frames

SECONDS = 10.0
"""A run that does not end by then is a failure."""


class Closable(Protocol):
    async def close(self) -> None: ...


Made = TypeVar("Made", bound=Closable)


@asynccontextmanager
async def closed_after(kind: Callable[..., Made]) -> AsyncIterator[Callable[..., Made]]:
    """Makes one of this kind each time it is called; all of them are closed after the block."""
    made: list[Made] = []

    def one(*args: Any, **settings: Any) -> Made:
        made.append(kind(*args, **settings))
        return made[-1]

    try:
        yield one
    finally:
        for each in made:
            await each.close()


async def stop(runs: Runs, streams: Iterable[Frames] = (), *, drain: Callable[[], Awaitable[object]]) -> None:
    """Close the streams, let what works end, as at the stop of a server, and then the runs."""
    for each in streams:
        each.close()
    await asyncio.wait_for(drain(), SECONDS)
    runs.close()
