"""Streamable HTTP with sessions: MCP 2025-11-25, 2025-06-18 and 2025-03-26.

POST sends a message (or a batch, where the revision has batches), GET opens the session's own stream or resumes that of
a request, DELETE ends the session. The methods are in requests.py.

Errors in a request are answered with 200: these revisions do not map them to HTTP, and their clients drop the body of a
4xx. Errors at the level of HTTP (no session, an ended session, a bad header field) have the status that they require,
and so has a missing scope: clients step up by the challenge of a 403 (2025-11-25, Authorization, Runtime Insufficient
Scope).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from ....protocol.errors import InsufficientScope, InvalidRequest, NotAcceptable
from ....protocol.http.accept import Representation
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcBody, RpcError
from ....protocol.mcp.revisions import SESSION_REVISIONS
from ....protocol.policy import MCP_2024_11_05
from ....web.charging import take_place
from ....web.frames import Frames
from ....web.messages import NO_CONTENT, STREAM_HEADERS, Answer, Request, json_answer
from ..answering import Answering, acceptable
from ..failures import as_rpc_error
from .batches import ACCEPTED, Batching
from .listening import Listening
from .register import Sessions
from .requests import SessionMethods
from .session import AnyRun, RequestRun, Session
from .shared_sessions import no_session

SESSION_HEADER = "mcp-session-id"

_NUMBER = "(?:0|[1-9][0-9]{0,14})"
_EVENT_ID = re.compile(rf"([0-9a-f]{{32}})/({_NUMBER}(?:\.{_NUMBER}){{0,{jsonrpc.MAX_BATCH - 1}}})", re.ASCII)
"""The stream and the position in it; a batch has one position for each of its calls."""


class Streamable:
    """Answers the HTTP requests of sessions."""

    def __init__(
        self,
        sessions: Sessions,
        methods: SessionMethods,
        answering: Answering,
        listening: Listening,
        batching: Batching,
    ) -> None:
        self._sessions = sessions
        self._methods = methods
        self._answering = answering
        self._listening = listening
        self._batching = batching

    async def initialize(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        """Start a session. Its id is in the answer's header; if `initialize` fails, no session is created."""
        acceptable(request.headers.get("accept"))
        session = await self._sessions.begin(request.access)
        try:
            response = await self._methods.begin(session, message, request)
        except Exception as error:
            await self._sessions.end(session)
            return json_answer(200, as_rpc_error(error, message.id).encode())
        assert isinstance(response, bytes)  # noqa: S101 - initialize starts no run
        return json_answer(200, response, ("Mcp-Session-Id", session.id))

    async def post(self, request: Request, message: RpcBody) -> Answer:
        """One message of a session, or a batch."""
        session = await self._session(request)
        if isinstance(message, list):
            return await self._batching.answer(session, request, message, self._begin, self._receive)
        if isinstance(message, jsonrpc.RpcRequest):
            return await self._request(session, request, message)
        await self._receive(session, message)
        return ACCEPTED

    async def get(self, request: Request) -> Answer:
        """The session's own stream, or the rest of the stream that Last-Event-ID identifies."""
        return await self._stream(request, self._listen)

    async def head(self, request: Request) -> Answer:
        """The status and header fields of GET. The session's own stream stays with its reader."""
        answer = await self._stream(request, _listen_head)
        if isinstance(answer.body, Frames):
            answer.body.close()
        return Answer(answer.status, answer.headers)

    async def _listen(self, session: Session, after: int | None) -> Answer:
        if session.shared is not None:
            await session.shared.hold(session)
        return self._listening.answer(session, after)

    async def _stream(self, request: Request, listen: Callable[[Session, int | None], Awaitable[Answer]]) -> Answer:
        session = await self._session(request)
        if acceptable(request.headers.get("accept")) is Representation.JSON:
            raise NotAcceptable("This is an event stream, and Accept does not take it.")
        take_place(request)
        last_event_id = request.headers.get("last-event-id")
        if not last_event_id:
            return await listen(session, None)
        match = _EVENT_ID.fullmatch(last_event_id)
        if match is None:
            raise InvalidRequest("Last-Event-ID is none that this server gives out.")
        stream, (after, *more) = match[1], [int(each) for each in match[2].split(".")]
        batch = await self._batching.resume(session, stream, (after, *more), self._methods.find)
        if batch is not None:
            return batch
        if more:
            raise InvalidRequest("Last-Event-ID is of a batch that this session does not have.")
        if stream == session.outbox.id:
            return await listen(session, after)
        found = await self._methods.find(session, stream, after)
        if found is None:
            raise InvalidRequest("Last-Event-ID is of a stream that this session does not have.")
        return self._resume(found, after)

    async def delete(self, request: Request) -> Answer:
        """End the session and its runs."""
        await self._sessions.end(await self._session(request))
        return Answer(204, ())

    # --- one session -------------------------------------------------------------------------------------------------

    async def _session(self, request: Request) -> Session:
        """The request's session. Raises RpcError: 400 without an id or for a bad version, 404 for an unknown or ended
        session."""
        session_id = request.headers.get(SESSION_HEADER)
        if session_id is None:
            raise RpcError(Code.INVALID_REQUEST, "Mcp-Session-Id is missing: initialize opens a session and names it.")
        session = await self._sessions.find(session_id, request.access)
        if session is None or session.record.policy is MCP_2024_11_05:  # it belongs to the other transport
            raise no_session()
        version = request.headers.get("mcp-protocol-version")
        if session.record.revision.version_header and version is not None and version not in SESSION_REVISIONS:
            data = {"supported": list(SESSION_REVISIONS), "requested": version[:100]}
            raise RpcError(Code.INVALID_REQUEST, "MCP-Protocol-Version is not one of a session.", data=data)
        return session

    async def _receive(self, session: Session, message: jsonrpc.RpcNotification | jsonrpc.RpcResponse) -> None:
        if isinstance(message, jsonrpc.RpcNotification):
            await self._methods.receive_notification(session, message)
        elif not session.receive_response(message) and session.shared is not None:
            session.shared.respond(session, message)

    async def _request(self, session: Session, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        acceptable(request.headers.get("accept"))  # raises before anything is started
        try:
            started = await self._methods.begin(session, message, request)
        except InsufficientScope:
            raise
        except Exception as error:
            started = as_rpc_error(error, message.id).encode()
        if isinstance(started, bytes):
            return json_answer(200, started)
        return await self._answering.answer(request, started.run, started.transcript)

    async def _begin(self, session: Session, request: Request, message: jsonrpc.RpcRequest) -> bytes | AnyRun:
        try:
            return await self._methods.begin(session, message, request)
        except Exception as error:
            return as_rpc_error(error, message.id).encode()

    def _resume(self, request: RequestRun, after: int) -> Answer:
        run = request.run
        if after > run.events:
            raise InvalidRequest(f"Last-Event-ID is {after}; this stream has had {run.events} events.")
        if run.over and after == run.events:
            return NO_CONTENT
        return self._answering.resume(run, request.transcript, after)


async def _listen_head(session: Session, after: int | None) -> Answer:
    if session.outbox.opened:  # of one that another process holds this one does not know the numbers
        session.outbox.check(after)
    return Answer(200, STREAM_HEADERS)
