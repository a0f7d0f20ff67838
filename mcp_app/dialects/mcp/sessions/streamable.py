"""Streamable HTTP with sessions: MCP 2025-11-25, 2025-06-18 and 2025-03-26.

POST is a message (or a batch of them, where the revision has batches), GET the session's own stream or the rest of a
request's, DELETE the end of the session. Which methods there are is requests.py's.

Errors in a request are answered with 200: these revisions map none to HTTP, and their clients drop the body of a 4xx.
What is wrong with the HTTP of it (no session, one that has ended, a bad header) has the status that they demand.
"""

from __future__ import annotations

import re

from ....protocol.errors import InvalidRequest, NotAcceptable
from ....protocol.http.accept import Representation
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcBody, RpcError
from ....protocol.mcp.revisions import SESSION_REVISIONS
from ....protocol.policy import MCP_2024_11_05
from ....web.messages import NO_CONTENT, PRINCIPAL, STREAM_HEADERS, Answer, Request, json_answer
from ..answering import Answering, acceptable
from ..failures import as_rpc_error
from .batches import ACCEPTED, Batching
from .listening import Listening
from .register import Sessions
from .requests import Legacy
from .session import Session, Working

SESSION_HEADER = "mcp-session-id"

_NUMBER = "(?:0|[1-9][0-9]{0,14})"
_EVENT_ID = re.compile(rf"([0-9a-f]{{32}})/({_NUMBER}(?:\.{_NUMBER}){{0,{jsonrpc.MAX_BATCH - 1}}})", re.ASCII)
"""The stream, and a position in it: of a batch's, one for each of its calls."""


class Streamable:
    """Answers the HTTP requests of sessions."""

    def __init__(
        self, sessions: Sessions, legacy: Legacy, answering: Answering, listening: Listening, batching: Batching
    ) -> None:
        self._sessions = sessions
        self._legacy = legacy
        self._answering = answering
        self._listening = listening
        self._batching = batching

    async def initialize(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        """A new session. Its id is in the answer's header; if `initialize` fails there is none."""
        acceptable(request.headers.get("accept"))
        session = await self._sessions.begin(PRINCIPAL)
        try:
            response = await self._legacy.begin(session, message, request.headers)
        except Exception as error:
            self._sessions.end(session)
            return json_answer(200, as_rpc_error(error, message.id).encode())
        assert isinstance(response, bytes)  # noqa: S101 - initialize is no run
        return json_answer(200, response, ("Mcp-Session-Id", session.id))

    async def post(self, request: Request, message: RpcBody) -> Answer:
        """One message of a session, or a batch."""
        session = self._session(request)
        if isinstance(message, list):
            return await self._batching.answer(session, request, message, self._begin, self._take)
        if isinstance(message, jsonrpc.RpcRequest):
            return await self._request(session, request, message)
        self._take(session, message)
        return ACCEPTED

    async def get(self, request: Request) -> Answer:
        """The session's own stream, or the rest of the stream that Last-Event-ID is of."""
        session = self._session(request)
        if acceptable(request.headers.get("accept")) is Representation.JSON:
            raise NotAcceptable("This is an event stream, and Accept does not take it.")
        last_event_id = request.headers.get("last-event-id")
        if not last_event_id:
            return self._listening.answer(session)
        match = _EVENT_ID.fullmatch(last_event_id)
        if match is None:
            raise InvalidRequest("Last-Event-ID is none that this server gives out.")
        stream, (after, *more) = match[1], [int(each) for each in match[2].split(".")]
        of_batch = self._batching.resume(session, stream, (after, *more))
        if of_batch is not None:
            return of_batch
        if more:
            raise InvalidRequest("Last-Event-ID is of a batch that this session does not have.")
        if stream == session.outbox.id:
            return self._listening.answer(session, after)
        working = session.working(stream)
        if working is None:
            raise InvalidRequest("Last-Event-ID is of a stream that this session does not have.")
        return self._resumed(working, after)

    async def head(self, request: Request) -> Answer:
        """What GET would answer with, as far as that can be known without opening a stream."""
        self._session(request)
        if acceptable(request.headers.get("accept")) is Representation.JSON:
            raise NotAcceptable("This is an event stream, and Accept does not take it.")
        return Answer(200, STREAM_HEADERS)

    async def delete(self, request: Request) -> Answer:
        """The end of the session, and of all that is being worked on for it."""
        self._sessions.end(self._session(request))
        return Answer(204, ())

    # --- one session -------------------------------------------------------------------------------------------------

    def _session(self, request: Request) -> Session:
        """Raises RpcError: 400 without an id, 404 for a session that is not there (any more), 400 for a bad version."""
        named = request.headers.get(SESSION_HEADER)
        if named is None:
            raise RpcError(Code.INVALID_REQUEST, "Mcp-Session-Id is missing: initialize opens a session and names it.")
        session = self._sessions.find(named, PRINCIPAL)
        if session is None or session.policy is MCP_2024_11_05:  # whose stream is all that it has
            raise RpcError(Code.INVALID_REQUEST, "There is no such session, or it has ended.", status=404)
        version = request.headers.get("mcp-protocol-version")
        if session.revision.version_header and version is not None and version not in SESSION_REVISIONS:
            data = {"supported": list(SESSION_REVISIONS), "requested": version[:100]}
            raise RpcError(Code.INVALID_REQUEST, "MCP-Protocol-Version is not one of a session.", data=data)
        return session

    def _take(self, session: Session, message: jsonrpc.RpcNotification | jsonrpc.RpcResponse) -> None:
        if isinstance(message, jsonrpc.RpcNotification):
            self._legacy.notified(session, message)
        else:
            session.answered(message)

    async def _request(self, session: Session, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        acceptable(request.headers.get("accept"))  # before anything is started
        begun = await self._begin(session, request, message)
        if isinstance(begun, bytes):
            return json_answer(200, begun)
        return await self._answering.answer(request, begun.run, begun.transcript)

    async def _begin(self, session: Session, request: Request, message: jsonrpc.RpcRequest) -> bytes | Working:
        try:
            return await self._legacy.begin(session, message, request.headers)
        except Exception as error:
            return as_rpc_error(error, message.id).encode()

    def _resumed(self, working: Working, after: int) -> Answer:
        run = working.run
        if after > run.events:
            raise InvalidRequest(f"Last-Event-ID is {after}; this stream has had {run.events} events.")
        if run.over and after == run.events:
            return NO_CONTENT
        return self._answering.resume(run, working.transcript, after)
