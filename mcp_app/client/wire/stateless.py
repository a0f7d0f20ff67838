"""MCP 2026-07-28, which has no sessions: a request as a conversation, with its rounds of questions, and as a task.

A task is followed by `subscriptions/listen`, so that nothing has to be polled: each state comes when it is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_app.client.wire import outgoing, raised
from mcp_app.client.wire.outgoing import BOTH, EVENT_STREAM, Outgoing
from mcp_app.client.wire.question import Question
from mcp_app.client.wire.rpc import (
    CLIENT,
    Structured,
    messages_of,
    notification_event,
    response_event,
    result_event,
)
from mcp_app.client.wire.run_events import ErrorEvent, QuestionEvent, RunEvent, TaskEvent
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.event import encode
from mcp_app.protocol.http.sse import ServerSentEvent
from mcp_app.protocol.mcp import jsonrpc
from mcp_app.protocol.mcp.header_value import encode_value
from mcp_app.protocol.mcp.headers import NAME_FIELDS, VERSION_KEY, Mirror, mirrored_values
from mcp_app.protocol.mcp.jsonrpc import RpcNotification, RpcResponse
from mcp_app.protocol.mcp.params import CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY
from mcp_app.protocol.mcp.revisions import STATELESS
from mcp_app.protocol.mcp.tasks import EXTENSION


@dataclass(slots=True)
class McpRequests:
    """Makes requests, each of which says what the client is. `tasks`: it can follow a task; `log_level`: the least
    level that it wants to be told, None for no log messages."""

    path: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    log_level: str | None = None
    tasks: bool = False
    accept: str = BOTH
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def make(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        progress: bool = False,
        mirrors: Sequence[Mirror] = (),
        accept: str | None = None,
    ) -> tuple[int, Outgoing]:
        """The id of a new request, and the request. `mirrors` are those of the tool that it calls."""
        id_ = next(self._ids)
        extensions: dict[str, Any] = {"extensions": {EXTENSION: {}}} if self.tasks else {}
        meta = {
            **params.get("_meta", {}),
            VERSION_KEY: STATELESS,
            CLIENT_INFO_KEY: CLIENT,
            CLIENT_CAPABILITIES_KEY: {**self.capabilities, **extensions},
            **({LOG_LEVEL_KEY: self.log_level} if self.log_level is not None else {}),
            **({"progressToken": id_} if progress else {}),
        }
        body = jsonrpc.request(id_, method, encode({**params, "_meta": meta}))
        made = outgoing.post_json(self.path, body, accept or self.accept)
        headers = {**made.headers, "MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
        name = params.get(NAME_FIELDS.get(method, ""))
        if isinstance(name, str):
            headers["Mcp-Name"] = encode_value(name)
        headers |= mirrored_values(mirrors, params.get("arguments"))
        return id_, Outgoing("POST", self.path, headers, body)


class StatelessConversation:
    """One request, such as tools/call, over all of its rounds."""

    def __init__(
        self,
        requests: McpRequests,
        method: str,
        params: Mapping[str, Any],
        *,
        progress: bool = True,
        structured: Structured | None = None,
        mirrors: Sequence[Mirror] = (),
    ) -> None:
        self.over = False
        self.task: str | None = None
        """The task that the call has become."""
        self._requests = requests
        self._method = method
        self._params = params
        self._progress = progress
        self._structured = structured
        self._mirrors = mirrors
        self._id = 0
        self._state: str | None = None
        self._asked: set[str] = set()
        self._replies: dict[str, Mapping[str, Any]] = {}
        self._rounds = 0
        """How many are over: without one there is nothing to send again."""

    def begin(self) -> Outgoing:
        return self._send(self._params)

    def _send(self, params: Mapping[str, Any]) -> Outgoing:
        self._id, made = self._requests.make(self._method, params, progress=self._progress, mirrors=self._mirrors)
        return made

    def event(self, event: ServerSentEvent) -> list[RunEvent]:
        return self._given(event.data, event.id)

    def answer(self, status: int, body: bytes) -> list[RunEvent]:
        return self._given(body)

    def _given(self, data: str | bytes, id_: str = "") -> list[RunEvent]:
        events: list[RunEvent] = []
        for message in messages_of(data):
            if self.over:
                break
            if isinstance(message, RpcNotification):
                events += self._notified(message, id_)
            elif isinstance(message, RpcResponse) and message.id in (self._id, None):
                events += self._responded(message, id_)
        return events

    def _responded(self, response: RpcResponse, id_: str) -> list[RunEvent]:
        result = response.result or {}
        kind = result.get("resultType")
        if kind == "input_required":
            state = result.get("requestState")
            self._state = state if isinstance(state, str) else None
            self._rounds += 1
            self._asked.clear()
            return self._questions(result, id_)
        if kind == "task":
            self.task = str(result.get("taskId"))
            self._asked.clear()
            return [TaskEvent(id=id_, raw=result, task=self.task)]
        if self.task is not None and response.error is None:
            return []  # a subscription has ended, at the cap: the next one goes on
        self.over = True
        return [response_event(response, self._structured, id_)]

    def _questions(self, holder: Mapping[str, Any], id_: str) -> list[RunEvent]:
        """The questions that were not given out before."""
        asked = holder.get("inputRequests")
        found = {key: each for key, each in asked.items() if key not in self._asked} if isinstance(asked, dict) else {}
        self._asked |= found.keys()
        return [
            QuestionEvent(
                id=id_, raw=each, question=Question(key, str(each.get("method")), _mapping(each.get("params")))
            )
            for key, each in found.items()
            if isinstance(each, dict)
        ]

    def proceed(self) -> Outgoing | None:
        if self.over:
            return None
        if self.task is not None:
            params = {"notifications": {"taskIds": [self.task]}}
            self._id, made = self._requests.make("subscriptions/listen", params, accept=EVENT_STREAM)
            return made
        if not self._rounds:
            return None
        self._rounds -= 1
        state = {} if self._state is None else {"requestState": self._state}
        replies, self._replies = self._replies, {}
        return self._send({**self._params, "inputResponses": replies, **state})

    def reply(self, question: Question, result: Mapping[str, Any]) -> Outgoing | None:
        if self.task is None:
            self._replies[str(question.key)] = result
            return None
        return self._of_task("tasks/update", {"inputResponses": {question.key: result}})

    def cancel(self) -> Outgoing | None:
        return None if self.task is None else self._of_task("tasks/cancel", {})

    # --- as a task ---------------------------------------------------------------------------------------------------

    def _of_task(self, method: str, params: Mapping[str, Any]) -> Outgoing:
        return self._requests.make(method, {"taskId": self.task, **params})[1]

    def _notified(self, message: RpcNotification, id_: str) -> list[RunEvent]:
        if message.method == "notifications/subscriptions/acknowledged":
            honoured = message.params.get("notifications")
            ids = honoured.get("taskIds") if isinstance(honoured, dict) else None
            if self.task not in (ids if isinstance(ids, list) else ()):
                self.over = True
                lost = {"code": "unknown_run", "message": "The server does not know this task any more."}
                return [ErrorEvent(id=id_, raw=message.params, error=raised.from_object(lost))]
            return []
        if message.method == "notifications/tasks":
            return self._state_of_task(message.params, id_)
        return [notification_event(message, id_)]

    def _state_of_task(self, state: Mapping[str, Any], id_: str) -> list[RunEvent]:
        status, result, error = state.get("status"), state.get("result"), state.get("error")
        if status == "completed" and isinstance(result, dict):
            last = result_event(result, self._structured, id_)
        elif status == "failed" and isinstance(error, dict):
            last = ErrorEvent(id=id_, raw=error, error=raised.from_response(error))
        elif status == "cancelled":
            last = ErrorEvent(id=id_, raw=state, error=Cancelled("The task was cancelled by its client."))
        else:
            return self._questions(state, id_)
        self.over = True
        return [last]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
