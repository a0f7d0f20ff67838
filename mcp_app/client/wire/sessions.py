"""MCP 2025-11-25 and older, over Streamable HTTP: the session as values, and a request in it as a conversation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from mcp_app.client.wire import outgoing
from mcp_app.client.wire.outgoing import BOTH, EVENT_STREAM, Outgoing
from mcp_app.client.wire.question import Question
from mcp_app.client.wire.rpc import (
    CLIENT,
    Structured,
    messages_of,
    notification_event,
    request_event,
    response_event,
)
from mcp_app.client.wire.run_events import RunEvent
from mcp_app.protocol.event import encode
from mcp_app.protocol.http.sse import ServerSentEvent
from mcp_app.protocol.mcp import jsonrpc
from mcp_app.protocol.mcp.jsonrpc import RpcMessage, RpcNotification, RpcRequest
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS


class McpSession:
    """A session. `path` is that of MCP; `capabilities` are what the client can be asked."""

    def __init__(self, path: str, version: str, capabilities: Mapping[str, Any]) -> None:
        self.version = version
        """The revision: first the one that is asked for, then the one that was agreed on."""
        self.id = ""
        self.initialized: Mapping[str, Any] = {}
        """The result of `initialize`."""
        self._path = path
        self._capabilities = capabilities
        self._ids = itertools.count(1)

    def initialize(self) -> SessionConversation:
        """The request that opens the session; what `opened` is given comes of it."""
        params = {"protocolVersion": self.version, "capabilities": self._capabilities, "clientInfo": CLIENT}
        return self.conversation("initialize", params, progress=False)

    def opened(self, session_id: str, result: Mapping[str, Any]) -> Outgoing:
        """The notification to send next, after the answer to `initialize` with that result."""
        self.id = session_id
        self.initialized = result
        self.version = str(result.get("protocolVersion", self.version))
        return self.post(jsonrpc.notification("notifications/initialized"))

    def conversation(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        progress: bool = True,
        structured: Structured | None = None,
        accept: str = BOTH,
    ) -> SessionConversation:
        """A request of the session. With `progress` its progress is asked for."""
        return SessionConversation(self, method, params, progress, structured, accept)

    def close(self) -> Outgoing:
        """The request that ends the session."""
        return Outgoing("DELETE", self._path, self._headers())

    def next_id(self) -> int:
        return next(self._ids)

    def post(self, message: bytes, accept: str = BOTH) -> Outgoing:
        """A message in the session."""
        made = outgoing.post_json(self._path, message, accept)
        return Outgoing(made.method, made.path, {**made.headers, **self._headers()}, message)

    def rest(self, last_event_id: str) -> Outgoing:
        """What follows an event of a request's stream."""
        made = outgoing.get(self._path, EVENT_STREAM, Last_Event_ID=last_event_id)
        return Outgoing(made.method, made.path, {**made.headers, **self._headers()})

    def _headers(self) -> dict[str, str]:
        if not self.id:
            return {}
        row = SESSION_REVISIONS.get(self.version)
        version = {"MCP-Protocol-Version": self.version} if row is None or row.version_header else {}
        return {"Mcp-Session-Id": self.id, **version}


class SessionConversation:
    """One request of a session, such as tools/call. Made by the session."""

    def __init__(
        self,
        session: McpSession,
        method: str,
        params: Mapping[str, Any],
        progress: bool,
        structured: Structured | None,
        accept: str,
    ) -> None:
        self.over = False
        self.last_event_id = ""
        self.id = session.next_id()
        """That of the request, and its progress token."""
        self.session = session
        self._method = method
        token = {"_meta": {**params.get("_meta", {}), "progressToken": self.id}} if progress else {}
        self._params = {**params, **token}
        self._structured = structured
        self._accept = accept

    def begin(self) -> Outgoing:
        return self.session.post(jsonrpc.request(self.id, self._method, encode(self._params)), self._accept)

    def event(self, event: ServerSentEvent) -> list[RunEvent]:
        self.last_event_id = event.id
        # 2025-11-25, Sending Messages to the Server, 6: a stream begins with an event without data.
        return self._given(event.data, event.id) if event.data else []

    def answer(self, status: int, body: bytes) -> list[RunEvent]:
        if not body:  # 204: nothing follows what was seen
            self.last_event_id = ""
            return []
        return self._given(body)

    def _given(self, data: str | bytes, id_: str = "") -> list[RunEvent]:
        return [each for message in messages_of(data) for each in self.receive(message, id_)]

    def receive(self, message: RpcMessage, id_: str = "") -> list[RunEvent]:
        """What a message is to this request; `id_` is that of its event."""
        if self.over:
            return []
        if isinstance(message, RpcNotification):
            return [notification_event(message, id_)]
        if isinstance(message, RpcRequest):
            return [request_event(message, id_)]
        if message.id not in (self.id, None):
            return []
        self.over = True
        return [response_event(message, self._structured, id_)]

    def proceed(self) -> Outgoing | None:
        return None if self.over or not self.last_event_id else self.session.rest(self.last_event_id)

    def reply(self, question: Question, result: Mapping[str, Any]) -> Outgoing | None:
        return self.session.post(jsonrpc.result(question.key, encode(result)))

    def cancel(self) -> Outgoing | None:
        params = encode({"requestId": self.id, "reason": "cancelled by its caller"})
        return self.session.post(jsonrpc.notification("notifications/cancelled", params))
