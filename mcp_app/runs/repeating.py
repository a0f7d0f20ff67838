"""Repeated calls: what an idempotency key has started already is not started again.

How the run is started, and how it is answered, is not known here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ..protocol.errors import IdempotencyKeyReused, RunConflict
from ..protocol.http.idempotency_key import RepeatableCall
from .callee import Callee
from .elsewhere import KeyTaken
from .found import FoundRun
from .keys import frees_its_key
from .register import Runs

T = TypeVar("T")
R = TypeVar("R")


async def find_repeated(runs: Runs, call: RepeatableCall, principal: str, callee: Callee) -> FoundRun | None:
    """The run that the principal's call has started already; None if none is kept, and where its caller was to open
    pages before it calls again. Raises IdempotencyKeyReused."""
    try:
        found = await runs.find_by_key(call.key, principal, callee, call.identity)
    except RunConflict:
        raise key_reused() from None
    return None if found is not None and frees_its_key(found.code) else found


def key_reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This idempotency key belongs to another call: of another tool, with other parameters, or made in another way."
    )


async def started_once(
    runs: Runs, call: RepeatableCall, principal: str, callee: Callee, start: Callable[[], Awaitable[FoundRun]]
) -> FoundRun:
    """The call's run. `start` starts it with the call's key and identity, if there is none. Raises IdempotencyKeyReused
    and what `start` raises."""
    async with runs.lock(principal, call.key):
        return await found_or_started(lambda: find_repeated(runs, call, principal, callee), start)


async def found_or_started(find: Callable[[], Awaitable[T | None]], start: Callable[[], Awaitable[R]]) -> T | R:
    """What is found, or started where nothing is. Another process may start it in the same moment: then it is found."""
    while (found := await find()) is None:
        with suppress(KeyTaken):
            return await start()
    return found
