"""HTTP+SSE, the transport of MCP 2024-11-05: one stream, whose first event says where messages are posted, and on which
everything comes. What comes is given to the requests that it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_app.client.wire import outgoing
from mcp_app.client.wire.outgoing import BOTH, EVENT_STREAM, JSON, Outgoing
from mcp_app.client.wire.rpc import Structured, messages_of
from mcp_app.client.wire.run_events import RunEvent
from mcp_app.client.wire.sessions import McpSession, SessionConversation
from mcp_app.protocol.http.sse import ServerSentEvent
from mcp_app.protocol.mcp.jsonrpc import RpcMessage, RpcRequest, RpcResponse


class HttpSseSession(McpSession):
    """A session, which is its stream: it begins and ends with that."""

    def __init__(self, path: str, version: str, capabilities: Mapping[str, Any]) -> None:
        super().__init__(path, version, capabilities)
        self.address = ""
        """Where messages are posted; empty until the stream has said it."""
        self._open: dict[int, HttpSseConversation] = {}

    def stream(self) -> Outgoing:
        """The request for the stream."""
        return outgoing.get(self._path, EVENT_STREAM)

    def post(self, message: bytes, accept: str = JSON) -> Outgoing:
        return outgoing.post_json(self.address, message, accept)

    def conversation(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        progress: bool = True,
        structured: Structured | None = None,
        accept: str = BOTH,
    ) -> HttpSseConversation:
        made = HttpSseConversation(self, method, params, progress, structured, JSON)
        self._open[made.id] = made
        return made

    def receive(self, event: ServerSentEvent) -> list[tuple[HttpSseConversation, list[RunEvent]]]:
        """An event of the stream: the requests that it belongs to, and what it is to them. Raises NotSpoken."""
        if event.event == "endpoint":
            self.address = event.data
            return []
        given = [
            (each, each.receive(message, event.id))
            for message in messages_of(event.data)
            for each in self._concerned(message)
        ]
        self._open = {id_: each for id_, each in self._open.items() if not each.over}
        return given

    def _concerned(self, message: RpcMessage) -> list[HttpSseConversation]:
        """Nothing says which request the server asks for, and which one it logs for: the newest is asked, and all are
        told."""
        if isinstance(message, RpcResponse):
            id_ = message.id
        elif isinstance(message, RpcRequest):
            id_ = max(self._open, default=None)
        elif message.method == "notifications/progress":
            id_ = message.params.get("progressToken")
        else:
            return list(self._open.values())
        return [self._open[id_]] if isinstance(id_, int) and id_ in self._open else []


class HttpSseConversation(SessionConversation):
    """A request of such a session, for which nothing comes but on its stream."""

    def answer(self, status: int, body: bytes) -> list[RunEvent]:
        return []

    def proceed(self) -> Outgoing | None:
        return None
