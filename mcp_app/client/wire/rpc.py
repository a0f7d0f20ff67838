"""MCP's messages as a client sees them: one request with what comes for it, in whichever revision.

How messages are transported, and what a result leads to in one revision, is known to sessions.py and stateless.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_app.client.wire import raised
from mcp_app.client.wire.conversation import NotSpoken
from mcp_app.client.wire.question import Question
from mcp_app.client.wire.run_events import (
    CompleteEvent,
    ErrorEvent,
    LogEvent,
    ProgressEvent,
    QuestionEvent,
    RunEvent,
    UnknownEvent,
)
from mcp_app.protocol.mcp import jsonrpc
from mcp_app.protocol.mcp.jsonrpc import RpcError, RpcMessage, RpcNotification, RpcRequest, RpcResponse

CLIENT = {"name": "mcp-app", "version": "0"}
"""What a client says of itself where nothing else is said."""

_PARTIAL = "/partial"
"""How the member of `_meta` ends that has a part of the result, in a progress notification."""

_STEP = "/step"
"""The same for a part of what a tool returns that the tool has called: with the path of that step."""

_NOTHING: Any = object()


class Structured:
    """Reads the value in the result of a tool. `wrapped`: it is the member `result` of the structured content, as MCP
    up to 2025-11-25 has there an object for each value; only the tool's output schema says so."""

    def __init__(self, *, wrapped: bool = False) -> None:
        self._wrapped = wrapped

    def value(self, result: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]]) -> Any:
        if "structuredContent" in result:
            value = result["structuredContent"]
            return value["result"] if self._wrapped and isinstance(value, Mapping) and "result" in value else value
        return blocks[0].get("text") if len(blocks) == 1 and blocks[0].get("type") == "text" else blocks


def messages_of(data: str | bytes) -> list[RpcMessage]:
    """The messages of an event or a body. Raises NotSpoken."""
    try:
        found = jsonrpc.read(json.loads(data))
    except (ValueError, RecursionError, RpcError) as error:
        raise NotSpoken(f"no JSON-RPC message ({error})", data) from error
    several = found if isinstance(found, list) else [found]
    return [each for each in several if not isinstance(each, RpcError)]


def notification_event(message: RpcNotification, id_: str = "") -> RunEvent:
    """A notification as a typed event."""
    params = message.params
    raw = {"method": message.method, "params": params}
    if message.method == "notifications/progress":
        part, path = _part(params.get("_meta"))
        said = {"message": params["message"]} if "message" in params else {}
        return ProgressEvent(
            id=id_,
            raw=raw,
            data=said if part is _NOTHING else part,
            progress=params.get("progress"),
            total=params.get("total"),
            path=path,
        )
    if message.method == "notifications/message":
        data = params.get("data")
        line = data if isinstance(data, dict) and "message" in data else {"message": data}
        text = line["message"] if isinstance(line["message"], str) else json.dumps(line["message"])
        logger = params.get("logger")
        path = tuple(logger.split("/")) if isinstance(logger, str) else ()
        return LogEvent(id=id_, raw=raw, level=str(params.get("level")), message=text, data=line.get("data"), path=path)
    return UnknownEvent(id=id_, raw=raw)


def _part(meta: object) -> tuple[Any, tuple[str, ...]]:
    """A part of a result, and the path of the step that gave it; _NOTHING for a notification without one."""
    for name, value in meta.items() if isinstance(meta, dict) else ():
        if name.endswith(_PARTIAL):
            return value, ()
        if name.endswith(_STEP) and isinstance(value, dict):
            path = value.get("path")
            return value.get("data"), tuple(map(str, path)) if isinstance(path, list) else ()
    return _NOTHING, ()


def request_event(message: RpcRequest, id_: str = "") -> RunEvent:
    """A request of the server as a question."""
    raw = {"id": message.id, "method": message.method, "params": message.params}
    return QuestionEvent(id=id_, raw=raw, question=Question(message.id, message.method, message.params))


def response_event(response: RpcResponse, structured: Structured | None, id_: str = "") -> RunEvent:
    """The response as a last event."""
    if response.error is not None:
        return ErrorEvent(id=id_, raw={"error": response.error}, error=raised.from_response(response.error))
    return result_event(response.result or {}, structured, id_)


def result_event(result: Mapping[str, Any], structured: Structured | None, id_: str = "") -> RunEvent:
    """The result as a last event: of a tool an error where it says that it is one; without `structured` it is what was
    sent."""
    blocks = result.get("content")
    content = [each for each in blocks if isinstance(each, dict)] if isinstance(blocks, list) else []
    meta = result.get("_meta")
    metadata = meta if isinstance(meta, dict) else {}
    if structured is not None and result.get("isError") is True:
        text = "\n".join(str(each["text"]) for each in content if "text" in each)
        return ErrorEvent(id=id_, raw=result, error=raised.from_result(metadata, text))
    data = result if structured is None else structured.value(result, content)
    return CompleteEvent(id=id_, raw=result, data=data, content=content, metadata=metadata)
