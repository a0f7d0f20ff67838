"""Repeated calls: what an idempotency key has started already is not started again.

How the run is started, and how it is answered, is not known here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..protocol.errors import IdempotencyKeyReused, RunConflict
from ..protocol.http.idempotency_key import RepeatableCall
from .callee import Callee
from .register import Runs
from .run import Run


async def find_repeated(runs: Runs, call: RepeatableCall, principal: str, callee: Callee) -> Run | None:
    """The run that the principal's call has started already; None if none is kept. Raises IdempotencyKeyReused."""
    try:
        return await runs.find_by_key(call.key, principal, callee, call.identity)
    except RunConflict:
        raise key_reused() from None


def key_reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This idempotency key belongs to another call: of another tool, with other parameters, or made in another way."
    )


async def started_once(
    runs: Runs, call: RepeatableCall, principal: str, callee: Callee, start: Callable[[], Awaitable[Run]]
) -> Run:
    """The call's run. `start` starts it with the call's key and identity, if there is none. Raises IdempotencyKeyReused
    and what `start` raises."""
    async with runs.lock(principal, call.key):
        return await find_repeated(runs, call, principal, callee) or await start()
