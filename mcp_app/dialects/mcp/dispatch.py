"""One URL for every MCP client: dispatches messages to the revisions with or without sessions.

A request of the stateless revision has its revision in `_meta`; clients of older revisions start with `initialize` and
then send the id of their session. Only errors are answered here: exceptions become JSON-RPC errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ...manifest import SSE_PATH
from ...protocol.errors import InvalidRequest, McpAppError, MethodNotAllowed, NotAcceptable, UnknownRoute
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
from .stateless.requests import StatelessMethods, not_spoken

_EXACTLY = 3
"""The specificity of a media range without wildcards: `text/event-stream` itself."""

_Respond = Callable[[Request, RpcBody | RpcError], Awaitable[Answer]]
"""Answers what a body has: messages, or the error of one that is none and whose id can be read."""


class Dispatch:
    """Answers all requests at the MCP endpoint. `http_sse` is None if the transport of 2024-11-05 is disabled."""

    def __init__(
        self, guard: Guard, stateless: StatelessMethods, streamable: Streamable, http_sse: HttpSse | None
    ) -> None:
        self._guard = guard
        self._stateless = stateless
        self._streamable = streamable
        self._http_sse = http_sse

    async def post(self, request: Request, parsed: Any = None) -> Answer:
        """One message, or a batch; `parsed` is the result of `parse_rpc`, if it has been called."""
        return await self._parsed(request, self._dispatch, parsed)

    async def messages(self, request: Request) -> Answer:
        """A message to a 2024-11-05 session."""
        if self._http_sse is None:
            raise UnknownRoute("There is nothing at this path.")
        return await self._parsed(request, self._http_sse.post)

    async def get(self, request: Request) -> Answer:
        """A stream of a session; without a session, the start of a 2024-11-05 session."""
        if SESSION_HEADER in request.headers:
            return await _errors_as_answers(self._streamable.get(request))
        return await _errors_as_answers(self._open(request))

    async def head(self, request: Request) -> Answer:
        """The status and header fields of GET, without opening a stream (RFC 9110, 9.3.2)."""
        if SESSION_HEADER in request.headers:
            return await _errors_as_answers(self._streamable.head(request))
        return await _errors_as_answers(self._open_head(request))

    async def delete(self, request: Request) -> Answer:
        """End a session."""
        return await _errors_as_answers(self._delete(request))

    async def _delete(self, request: Request) -> Answer:
        _check_has_sessions(request)
        return await self._streamable.delete(request)

    def opens(self, request: Request) -> bool:
        """Whether a GET without a session starts a 2024-11-05 session. It must accept `text/event-stream` explicitly:
        people and probes send `*/*`, and would wait for the end of an endless stream. Only at the path that this
        transport conventionally has, they know what comes. MCP-Protocol-Version does not matter, as long as it names a
        revision with sessions: clients that can speak newer ones name the newest."""
        if self._http_sse is None or not _allows_sessions(request):
            return False
        accepted = quality(request.headers.get("accept"), Representation.EVENT_STREAM.value)
        return accepted.q > 0 and (accepted.specificity >= _EXACTLY or request.path == SSE_PATH)

    async def _open(self, request: Request) -> Answer:
        return await self._opening(request).open(request)

    async def _open_head(self, request: Request) -> Answer:
        self._opening(request).check()
        return Answer(200, STREAM_HEADERS)

    def _opening(self, request: Request) -> HttpSse:
        """The transport whose session a GET opens. Raises why it opens none."""
        _check_has_sessions(request)
        if self._http_sse is not None and self.opens(request):
            self._guard.check_start(request)
            return self._http_sse
        if not quality(request.headers.get("accept"), Representation.EVENT_STREAM.value).q:
            raise NotAcceptable("This is an event stream, and Accept does not take it.")
        raise RpcError(Code.INVALID_REQUEST, "Mcp-Session-Id is missing: initialize opens a session and names it.")

    async def _parsed(self, request: Request, respond: _Respond, parsed: Any = None) -> Answer:
        known_id: Id | None = None
        try:
            self._guard.check_start(request)
            check_content_type(request)
            message = _message(request.body, parsed)
            known_id = message.id if isinstance(message, jsonrpc.RpcRequest) else None
            return await respond(request, message)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return _error(error, known_id)

    async def _dispatch(self, request: Request, message: RpcBody | RpcError) -> Answer:
        if isinstance(message, jsonrpc.RpcRequest):
            return await self._request(request, message)
        if isinstance(message, RpcError):
            raise message
        if SESSION_HEADER in request.headers:
            return await self._streamable.post(request, message)
        if isinstance(message, jsonrpc.RpcNotification) and not _allows_sessions(request):
            _check_is_spoken(request)
            return Answer(202, ())
        raise RpcError(Code.INVALID_REQUEST, "This belongs to a session, and Mcp-Session-Id names none.")

    async def _request(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        if not _declares_revision(message):
            if SESSION_HEADER in request.headers and message.method != "initialize":
                return await self._streamable.post(request, message)
            if message.method == "initialize":
                return await self._streamable.initialize(request, message)
        if is_stateless(request, message):
            return await self._stateless.answer(request, message)
        raise RpcError(
            Code.INVALID_REQUEST,
            "The request neither names a session (Mcp-Session-Id, after initialize) nor its revision (in _meta).",
            data={"supported": list(REVISIONS)},
        )


def _message(body: bytes, parsed: Any) -> RpcBody | RpcError:
    try:
        return jsonrpc.parse(body) if parsed is None else jsonrpc.read(parsed)
    except RpcError as error:
        if error.id is None:
            raise
        return error


def parse_rpc(body: bytes) -> Any:
    """The parsed JSON of a body that is a JSON-RPC message or batch; None for a call in the plain dialect."""
    if b'"jsonrpc"' not in body:
        return None
    try:
        value = strict_json.loads(body)
    except InvalidRequest:
        return None  # both dialects reject it; the plain one answers
    return value if isinstance(value, list) or (isinstance(value, dict) and "jsonrpc" in value) else None


SMALL_BODY = 4096
"""Bytes of a body that is read for the id of a request that is refused: a larger one would cost more than the refusal
is to save."""


def refusal(error: McpAppError, parsed: Any) -> Answer:
    """The response to a request that was refused before it was read; `parsed` is the result of `parse_rpc`."""
    found = parsed.get("id") if isinstance(parsed, dict) else None
    return _error(error, jsonrpc.read_id(found))


def is_stateless(request: Request, message: jsonrpc.RpcRequest) -> bool:
    """Whether a client without sessions sent it: it has a revision in `_meta`, is a server/discover, or has an
    MCP-Protocol-Version other than those with sessions.

    Mcp-Method is not evidence: some clients send it with `initialize`, too.
    """
    if _declares_revision(message) or message.method == "server/discover":
        return True
    return "mcp-protocol-version" in request.headers and not _allows_sessions(request)


def _declares_revision(message: jsonrpc.RpcRequest) -> bool:
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and mcp_headers.VERSION_KEY in meta


def _allows_sessions(request: Request) -> bool:
    """Whether MCP-Protocol-Version is a revision with sessions, or absent, as in the oldest of them."""
    version = request.headers.get("mcp-protocol-version")
    return version is None or version in SESSION_REVISIONS


def _check_has_sessions(request: Request) -> None:
    """Raises MethodNotAllowed for the revision without sessions, which only has POST (2026-07-28, 405)."""
    if SESSION_HEADER not in request.headers and not _allows_sessions(request):
        _check_is_spoken(request)
        raise MethodNotAllowed("That revision has only POST.", headers={"Allow": "OPTIONS, POST"})


def _check_is_spoken(request: Request) -> None:
    """Raises RpcError for an MCP-Protocol-Version of no revision that is spoken here (2025-06-18, Transports, 400)."""
    version = request.headers.get("mcp-protocol-version")
    if version is not None and version not in REVISIONS:
        raise not_spoken(version[:100], REVISIONS)


async def _errors_as_answers(answer: Awaitable[Answer]) -> Answer:
    try:
        return await answer
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _error(error, None)


def _error(error: BaseException, request: Id | None) -> Answer:
    rpc = as_rpc_error(error, request)
    return json_answer(rpc.status, rpc.encode(), *rpc.headers.items())
