"""One URL for every MCP client: which era a message belongs to, and JSON-RPC errors for all that goes wrong.

A modern request carries its revision in `_meta`; a client of the older ones opens with `initialize` and then names its
session. Nothing is answered here but errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ...protocol.errors import InvalidRequest, MethodNotAllowed, NotAcceptable, UnknownRoute
from ...protocol.http import strict_json
from ...protocol.http.accept import Representation, quality
from ...protocol.mcp import headers as mcp_headers
from ...protocol.mcp import jsonrpc
from ...protocol.mcp.jsonrpc import Code, Id, RpcBody, RpcError
from ...protocol.mcp.revisions import REVISIONS, SESSION_REVISIONS
from ...web.guard import Guard
from ...web.messages import STREAM_HEADERS, Answer, Request, check_content_type, json_answer
from .failures import as_rpc_error
from .sessions.http_sse import HttpSse
from .sessions.streamable import SESSION_HEADER, Streamable
from .stateless.requests import Modern

_EXACTLY = 3
"""The specificity of a media range without a wildcard: `text/event-stream` itself."""

_Take = Callable[[Request, RpcBody], Awaitable[Answer]]


class Dispatch:
    """Answers everything at the MCP endpoint. `http_sse` is None where 2024-11-05 is not served."""

    def __init__(self, guard: Guard, modern: Modern, streamable: Streamable, http_sse: HttpSse | None) -> None:
        self._guard = guard
        self._modern = modern
        self._streamable = streamable
        self._http_sse = http_sse

    async def post(self, request: Request, parsed: Any = None) -> Answer:
        """One message, or a batch; `parsed` is what `rpc_in` found in the body, where it was asked."""
        return await self._parsed(request, self._dispatch, parsed)

    async def messages(self, request: Request) -> Answer:
        """A message of a 2024-11-05 session."""
        if self._http_sse is None:
            raise UnknownRoute("There is nothing at this path.")
        return await self._parsed(request, self._http_sse.post)

    async def get(self, request: Request) -> Answer:
        """A stream of a session; without one, a session of 2024-11-05."""
        if SESSION_HEADER in request.headers:
            return await _shown(self._streamable.get(request))
        return await _shown(self._open(request))

    async def head(self, request: Request) -> Answer:
        """What GET would answer with, without opening a stream (RFC 9110, 9.3.2)."""
        if SESSION_HEADER in request.headers or not self.opens(request):
            return await _shown(self._streamable.head(request))
        return Answer(200, STREAM_HEADERS)

    async def delete(self, request: Request) -> Answer:
        """The end of a session."""
        return await _shown(self._delete(request))

    async def _delete(self, request: Request) -> Answer:
        _check_has_sessions(request)
        return await self._streamable.delete(request)

    def opens(self, request: Request) -> bool:
        """Whether a GET without a session is one of 2024-11-05. Only for `text/event-stream` by name: `*/*` is what
        people and probes send, who would wait for the end of a stream that has none. Who names a revision is newer."""
        if "mcp-protocol-version" in request.headers:
            return False
        wanted = quality(request.headers.get("accept"), Representation.EVENT_STREAM.value)
        return self._http_sse is not None and wanted.q > 0 and wanted.specificity >= _EXACTLY

    async def _open(self, request: Request) -> Answer:
        _check_has_sessions(request)
        if self._http_sse is not None and self.opens(request):
            self._guard.check_start(request)
            return await self._http_sse.open(request)
        wanted = quality(request.headers.get("accept"), Representation.EVENT_STREAM.value)
        if not wanted.q:
            raise NotAcceptable("This is an event stream, and Accept does not take it.")
        raise RpcError(Code.INVALID_REQUEST, "Mcp-Session-Id is missing: initialize opens a session and names it.")

    async def _parsed(self, request: Request, answer: _Take, parsed: Any = None) -> Answer:
        known: Id | None = None
        try:
            self._guard.check_start(request)
            check_content_type(request)
            message = jsonrpc.parse(request.body) if parsed is None else jsonrpc.read(parsed)
            known = message.id if isinstance(message, jsonrpc.RpcRequest) else None
            return await answer(request, message)
        except Exception as error:
            return _error(error, known)

    async def _dispatch(self, request: Request, message: RpcBody) -> Answer:
        if isinstance(message, jsonrpc.RpcRequest):
            return await self._request(request, message)
        if SESSION_HEADER in request.headers:
            return await self._streamable.post(request, message)
        if isinstance(message, jsonrpc.RpcNotification) and not _is_of_a_session(request):
            return Answer(202, ())
        raise RpcError(Code.INVALID_REQUEST, "This belongs to a session, and Mcp-Session-Id names none.")

    async def _request(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        if not _names_its_revision(message):
            if SESSION_HEADER in request.headers and message.method != "initialize":
                return await self._streamable.post(request, message)
            if message.method == "initialize":
                return await self._streamable.initialize(request, message)
        if is_modern(request, message):
            return await self._modern.answer(request, message)
        raise RpcError(
            Code.INVALID_REQUEST,
            "The request neither names a session (Mcp-Session-Id, after initialize) nor its revision (in _meta).",
            data={"supported": list(REVISIONS)},
        )


def rpc_in(body: bytes) -> Any:
    """The JSON of a body that is a JSON-RPC message, or a batch of them; None for a call in the plain dialect."""
    if b'"jsonrpc"' not in body:
        return None
    try:
        value = strict_json.loads(body)
    except InvalidRequest:
        return None  # both dialects refuse it, and the plain one in its own words
    return value if isinstance(value, list) or (isinstance(value, dict) and "jsonrpc" in value) else None


def is_modern(request: Request, message: jsonrpc.RpcRequest) -> bool:
    """By what only modern clients send: the revision in `_meta`, server/discover, or a header with no legacy revision.

    Not by Mcp-Method, which some send with `initialize` as well.
    """
    if _names_its_revision(message) or message.method == "server/discover":
        return True
    return "mcp-protocol-version" in request.headers and not _is_of_a_session(request)


def _names_its_revision(message: jsonrpc.RpcRequest) -> bool:
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and mcp_headers.VERSION_KEY in meta


def _is_of_a_session(request: Request) -> bool:
    """Whether its header says a revision with sessions; the oldest had no such header."""
    version = request.headers.get("mcp-protocol-version")
    return version is None or version in SESSION_REVISIONS


def _check_has_sessions(request: Request) -> None:
    """Raises MethodNotAllowed for whoever names a revision without sessions: there, POST is all (2026-07-28, 405)."""
    if SESSION_HEADER not in request.headers and not _is_of_a_session(request):
        raise MethodNotAllowed("That revision has only POST.", headers={"Allow": "OPTIONS, POST"})


async def _shown(answer: Awaitable[Answer]) -> Answer:
    try:
        return await answer
    except Exception as error:
        return _error(error, None)


def _error(error: Exception, request: Id | None) -> Answer:
    shown = as_rpc_error(error, request)
    return json_answer(shown.status, shown.encode(), *shown.headers.items())
