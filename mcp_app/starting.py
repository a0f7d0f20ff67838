"""`Starting`: starts a server on each event loop that asks it for something, and ends it with that loop.

A host that has no lifespan for what it mounts (Starlette) never says that it starts, nor that it stops. So the first
request starts the server, once however many come at the same time, and a task that waits for the loop's end stops it:
`asyncio.run`, and whatever else ends a loop properly, cancels the tasks that are left. No framework is known here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import replace
from typing import Any

from .auth.authentication import Identify
from .endpoint import Endpoint
from .life import Life, Server
from .protocol.errors import McpAppError, NotReady
from .web.asgi.server_state import DRAINING_KEY, MALFORMED_KEY, STOPPING_KEY, OnDraining
from .web.messages import Answer, Request, error_answer
from .web.metrics_page import SharedPage

logger = logging.getLogger("mcp_app")

RETRY_SECONDS = 1.0
"""After a start that failed, the next is tried no sooner: a database that is away is not asked by each request."""

WAIT_SECONDS = 10.0
"""How long a request waits for a start that goes on: what its client would take for a server that hangs."""

_RETRY_AFTER = {"Retry-After": f"{RETRY_SECONDS:g}"}

_NOTHING: Mapping[str, Any] = {}


class _FromServer:
    """What the HTTP server provides, as far as one has been heard."""

    def __init__(self) -> None:
        self.on_draining: OnDraining | None = None
        self.malformed_requests: Callable[[], int] = lambda: 0
        self.is_stopping: Callable[[], bool] = lambda: False
        self.processes = 1
        self.page: SharedPage | None = None


class _Attempt:
    """One start of the server on one loop, and what came of it. Created on that loop."""

    def __init__(self, server: Server, on_end: Callable[[_Attempt], None]) -> None:
        self.endpoint: Endpoint | None = None
        """None until it has started."""
        self.failure: BaseException | None = None
        self.failed_at = 0.0
        self.error_id = ""
        self._served = _FromServer()
        self._server = replace(server, endpoint=None)
        self._life = Life(self._server, self._served)
        self._heard = False
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()
        self._to_end = asyncio.Event()
        # In a context of its own: it outlives the request that came first, and must not keep what belongs to that.
        self._keeper = self._loop.create_task(self._keep(), name="mcp_app", context=Context())
        self._keeper.add_done_callback(self._kept)

    @property
    def ended(self) -> bool:
        """Whether it was told to end."""
        return self._to_end.is_set()

    async def settled(self, seconds: float | None = None) -> None:
        """Wait until it has started or failed, for at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        except TimeoutError:
            pass  # the caller sees that it has neither

    async def end(self) -> None:
        """Stop what was started. Waits as long as a stop may take."""
        self._to_end.set()
        if not self._settled.is_set():
            self._keeper.cancel()
        await asyncio.wait({self._keeper})
        if not self._keeper.cancelled() and (error := self._keeper.exception()) is not None:
            raise error

    def hear(self, state: Mapping[str, Any]) -> None:
        """Take what our own HTTP server has for an application from the state of its scope."""
        if not self._heard and DRAINING_KEY in state:
            self._heard = True
            self._served.on_draining = state[DRAINING_KEY]
            self._served.malformed_requests = state.get(MALFORMED_KEY, self._served.malformed_requests)
            self._served.is_stopping = state.get(STOPPING_KEY, self._served.is_stopping)
            if self.endpoint is not None:
                self._life.subscribe()

    async def _keep(self) -> None:
        try:
            await self._life.start()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # even SystemExit of an author's maker, which would end the host's loop
            self._fail(error)
            logger.exception(
                "the tools could not be started; a request that comes in %g s or later tries again [error_id %s]",
                RETRY_SECONDS,
                self.error_id,
            )
            return
        self.endpoint = self._server.endpoint
        self._settled.set()
        try:
            await self._to_end.wait()
        except asyncio.CancelledError:
            await self._life.stop()
            raise
        await self._life.stop()

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        """Called at the end of the task, also of one that was cancelled before its first turn."""
        if keeper.cancelled():
            if not self._settled.is_set():
                self._fail(asyncio.CancelledError())
            self._on_end(self)  # whoever goes on with this loop all the same is served anew

    def _fail(self, error: BaseException) -> None:
        self.failure, self.failed_at, self.error_id = error, self._loop.time(), secrets.token_hex(8)
        self._settled.set()


class Starting:
    """A server that is started on each event loop on which it is wanted."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._attempts: dict[asyncio.AbstractEventLoop, _Attempt] = {}

    async def answer(
        self,
        request: Request,
        body_error: McpAppError | None = None,
        identify: Identify | None = None,
        state: Mapping[str, Any] = _NOTHING,
    ) -> Answer:
        """As `Endpoint.answer`, after the start. `state` is that of the ASGI scope."""
        attempt = self._attempts.get(asyncio.get_running_loop())
        if attempt is None or attempt.endpoint is None:
            attempt = self._attempt()
            attempt.hear(state)
            await attempt.settled(WAIT_SECONDS)
            if attempt.endpoint is None:
                return error_answer(_not_ready(attempt))
        attempt.hear(state)
        return await attempt.endpoint.answer(request, body_error, identify)

    async def startup(self, state: Mapping[str, Any] = _NOTHING) -> None:
        """Start on this loop, unless that has been done. Raises what prevents it."""
        attempt = self._attempt(again=True)
        attempt.hear(state)
        try:
            await attempt.settled()
        except asyncio.CancelledError:
            await attempt.end()
            raise
        if attempt.failure is not None:
            raise attempt.failure

    async def shutdown(self) -> None:
        """Stop on this loop: streams end with their last event, and new calls are refused until `startup`."""
        attempt = self._attempts.get(asyncio.get_running_loop())
        if attempt is not None:
            await attempt.end()

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """`startup` and `shutdown` around the block."""
        await self.startup()
        try:
            yield
        finally:
            await self.shutdown()

    def _attempt(self, *, again: bool = False) -> _Attempt:
        """This loop's: the one there is, or another one when it has failed a while ago; with `again`, also when it has
        failed just now or was ended."""
        loop = asyncio.get_running_loop()
        found = self._attempts.get(loop)
        if found is not None and found.failure is not None:
            replaced = again or loop.time() - found.failed_at >= RETRY_SECONDS
        else:
            replaced = found is None or (again and found.ended)
        if replaced or found is None:
            for each in [each for each in list(self._attempts) if each.is_closed()]:  # their hosts ended no task
                del self._attempts[each]
            found = self._attempts[loop] = _Attempt(self._server, self._forget)
        return found

    def _forget(self, attempt: _Attempt) -> None:
        loop = asyncio.get_running_loop()
        if self._attempts.get(loop) is attempt:
            del self._attempts[loop]


def _not_ready(attempt: _Attempt) -> NotReady:
    if attempt.failure is None:
        return NotReady(f"What the tools need is not made after {WAIT_SECONDS:g} seconds.", headers=_RETRY_AFTER)
    return NotReady("What the tools need could not be made.", error_id=attempt.error_id, headers=_RETRY_AFTER)
