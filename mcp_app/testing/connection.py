"""One application in memory, and all that is open to it. Shared by the clients that `with_options` makes.

Dialects are spoken by calling.py and driver.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from quart import Quart

from mcp_app.authoring.tool import Tool
from mcp_app.client.address import Address
from mcp_app.client.wire.conversation import Conversation, NotSpoken
from mcp_app.client.wire.http_sse import HttpSseConversation, HttpSseSession
from mcp_app.client.wire.outgoing import Outgoing
from mcp_app.client.wire.run_events import ErrorEvent
from mcp_app.client.wire.sessions import McpSession, SessionConversation
from mcp_app.protocol.event import encode
from mcp_app.testing.clock import MovableClock, settle
from mcp_app.testing.in_memory import HOST, InMemoryResponse
from mcp_app.testing.log import CapturedLog
from mcp_app.testing.options import HTTP_SSE, CallOptions
from mcp_app.testing.shared_stream import SharedStream


class ServerConnection:
    """Enter it to start the application. When it is left, every response that is open is, and the application stops."""

    def __init__(self, app: Quart, *, tells: bool) -> None:
        """`tells`: whether the application is told who calls."""
        self.app = app
        self.tells = tells
        self.log = CapturedLog()
        self._leaving: dict[asyncio.Task[None], Callable[[], Awaitable[None]]] = {}
        self._sessions: dict[bytes, McpSession] = {}
        self._streams: dict[McpSession, SharedStream] = {}
        self._opening = asyncio.Lock()
        self._stopped = False

    @property
    def clock(self) -> MovableClock:
        return MovableClock.of_running_loop()

    @property
    def route(self) -> Address:
        """The event route."""
        return Address("http", HOST, HOST, self._server.manifest.events_path)

    @property
    def mcp_path(self) -> str:
        path: str = self._server.manifest.mcp_path
        return path

    @property
    def working(self) -> int:
        """Runs that are being worked on, and what those that have ended still clean up."""
        endpoint = self._server.endpoint
        return 0 if endpoint is None else endpoint.runs.working + endpoint.runs.cleaning

    def tool(self, name: str) -> Tool | None:
        return cast("Tool | None", self._server.registry.find(name))

    @property
    def _server(self) -> Any:
        return self.app.extensions["mcp_app"]

    async def __aenter__(self) -> ServerConnection:
        _ = self.clock  # before anything of the application holds the loop's own
        self.log.__enter__()
        try:
            await self.app.startup()
        except BaseException:
            self.log.__exit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.clock.start()  # leaving has time-outs, too
        try:
            await asyncio.gather(*(leave() for leave in self._leaving.values()))
            await asyncio.gather(*(stream.leave() for stream in self._streams.values()))
        finally:
            try:
                await self.stop()
                await settle()
            finally:
                self.log.__exit__()

    async def stop(self) -> None:
        """Stop the application, once: every stream gets its last event. Time goes on by itself from now on: a stop has
        time-outs."""
        self.clock.start()
        if not self._stopped:
            self._stopped = True
            await self.app.shutdown()

    def send(
        self, request: Outgoing, options: CallOptions, call: object = None, *, on_demand: bool = False
    ) -> InMemoryResponse:
        """Send a request. `call` is whose it is, for the log."""
        return InMemoryResponse(self.app, request, options.headers, call, access=options.access, on_demand=on_demand)

    def leave_at_end(self, task: asyncio.Task[None], leave: Callable[[], Awaitable[None]]) -> None:
        """Call `leave` when the connection is closed, unless the task of the call is done by then."""
        self._leaving[task] = leave
        task.add_done_callback(self._leaving.pop)

    async def ask(self, request: Outgoing, options: CallOptions, call: object = None) -> tuple[InMemoryResponse, bytes]:
        """Send a request and read all of its answer. Raises NotSpoken for one that is refused."""
        response = self.send(request, options, call)
        status = await response.head()
        body = await response.body()
        await response.over()
        if status is None or status >= 400:
            raise NotSpoken(f"{request.method} {request.path} was answered with {status}", body)
        return response, body

    async def session(self, options: CallOptions) -> McpSession:
        """The session of these options, opened at its first use."""
        caller = None if options.access is None else options.access.principal
        key = encode([options.era, options.declared, options.log_level, dict(options.headers), caller])
        async with self._opening:
            found = self._sessions.get(key)
            if found is None or ((stream := self._streams.get(found)) is not None and stream.ended):
                found = self._sessions[key] = await self._opened(options)
            return found

    def stream_of(self, conversation: Conversation) -> SharedStream | None:
        """The stream on which everything comes for the call, if it is that of its session."""
        return self._streams.get(conversation.session) if isinstance(conversation, HttpSseConversation) else None

    async def _opened(self, options: CallOptions) -> McpSession:
        session = (HttpSseSession if options.era == HTTP_SSE else McpSession)(
            self.mcp_path, options.era, options.declared
        )
        if isinstance(session, HttpSseSession):
            stream = self._streams[session] = SharedStream(session, self.send(session.stream(), options))
            await stream.opened()
        session_id, result = await self._result(session.initialize(), options)
        await self.ask(session.opened(session_id, result), options)
        if options.log_level is not None:
            params = {"level": options.log_level}
            await self._result(session.conversation("logging/setLevel", params, progress=False), options)
        return session

    async def _result(self, conversation: SessionConversation, options: CallOptions) -> tuple[str, Mapping[str, Any]]:
        """The id of the session in the answer, and the result. Raises what the answer says."""
        response, body = await self.ask(conversation.begin(), options)
        stream = self.stream_of(conversation)
        last = conversation.answer(200, body)[-1] if stream is None else await stream.result(conversation)
        if isinstance(last, ErrorEvent):
            raise last.error
        return response.headers.get("mcp-session-id", ""), {} if last is None else last.raw
