"""JSON-RPC 2.0 as restricted by MCP: parses bodies to messages, and assembles messages from encoded parts.

    parse(body)                       one RpcRequest, RpcNotification or RpcResponse, or a batch of them
    result(id, b"{…}")                b'{"jsonrpc":"2.0","id":…,"result":{…}}'
    rpc_error(error, id).encode()     any McpAppError as a JSON-RPC error response (rpc_error.py)

Neither the parameters of methods nor revisions are known here: the caller decides whether a batch is allowed, which
methods exist and which error codes a revision has. Sections are those of the JSON-RPC 2.0 specification and of MCP
2026-07-28, basic/index ("MCP").
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

from .. import errors
from ..event import encode
from ..http import strict_json
from .rpc_error import Code, Id, RpcError, error, id_json, rpc_error

__all__ = [
    "Code",
    "Id",
    "RpcBody",
    "RpcError",
    "RpcMessage",
    "RpcNotification",
    "RpcRequest",
    "RpcResponse",
    "error",
    "notification",
    "parse",
    "read",
    "read_id",
    "request",
    "result",
    "rpc_error",
]

MAX_ID_CHARS = 256
"""Characters in an id. It is echoed in every message about its request and kept as long as the request: without a
limit, one body of 1 MiB would be sent back with each notification. Clients use numbers and UUIDs (36 characters)."""

MAX_ID_INT = 2**63 - 1
"""The largest absolute value of an integer id: what parsers in other languages can represent, and so echo."""

MAX_BATCH = 100
"""Messages in one batch. Each may start a call, and `[1,1,1…]` would turn 1 MiB of body into 50 MiB of errors."""

_HINT = 'Send one JSON-RPC 2.0 message: {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{…}}.'


# --- incoming messages -----------------------------------------------------------------------------------------------
# Immutable by convention: creating a frozen dataclass takes three times as long.


@dataclass(slots=True)
class RpcRequest:
    """A request: the response has the same `id`."""

    id: Id
    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class RpcNotification:
    """A message that has no response."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class RpcResponse:
    """A response from a client of 2025-11-25 or older to a request of ours: exactly one of `result` and `error`.

    `id` is None in an error whose sender could not read our request's id (5): no request can be found for it.
    """

    id: Id | None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


RpcMessage = RpcRequest | RpcNotification | RpcResponse

RpcBody = RpcMessage | list[RpcMessage | RpcError]
"""The content of a body: one message, or a batch (6) with an error in the place of each invalid message."""


def parse(body: bytes, what: str = "The body") -> RpcBody:
    """Parse a body: one message, or a batch. `what` is its name in error messages.

    Raises RpcError with PARSE_ERROR for invalid JSON, INVALID_REQUEST for JSON that is no message. The error has the
    request's id if that can be read.
    """
    try:
        value = strict_json.loads(body, what)
    except errors.InvalidRequest as problem:
        raise _refused_json(body, problem) from None
    return read(value)


def read(value: Any) -> RpcBody:
    """The same for a body that `strict_json` has already parsed. Raises RpcError with INVALID_REQUEST."""
    return _batch(value) if isinstance(value, list) else _message(value)


def _batch(values: list[Any]) -> list[RpcMessage | RpcError]:
    if not values:
        raise _refusal("The batch is empty (JSON-RPC 2.0, 6).")
    if len(values) > MAX_BATCH:
        raise _refusal(f"The batch has {len(values)} messages; at most {MAX_BATCH} are taken.")
    return [_message_or_error(value) for value in values]


def _message_or_error(value: Any) -> RpcMessage | RpcError:
    try:
        return _message(value)
    except RpcError as problem:
        return problem


def _message(value: Any) -> RpcMessage:
    echoed = _readable_id(value)
    if not isinstance(value, dict):
        raise _refusal("The message is not a JSON object (JSON-RPC 2.0, 4).")
    if value.get("jsonrpc") != "2.0":
        raise _refusal('jsonrpc is not "2.0" (JSON-RPC 2.0, 4).', echoed)
    has_outcome = "result" in value or "error" in value
    if "method" not in value:
        if not has_outcome:
            raise _refusal("The message has no method, and neither result nor error (JSON-RPC 2.0, 4 and 5).", echoed)
        return _response(value)
    if has_outcome:
        raise _refusal("The message has a method and a result or error: it is either a request or a response.", echoed)
    return _call(value, echoed)


def _call(value: dict[str, Any], echoed: Id | None) -> RpcRequest | RpcNotification:
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str) or not method:
        raise _refusal("method is not a name (JSON-RPC 2.0, 4).", echoed)
    if not isinstance(params, dict):
        raise _refusal("params is not a JSON object (MCP, Requests).", echoed)
    # In every revision the notifications, and only they, have this prefix. So a missing or superfluous id is detected:
    # otherwise the former would be dropped silently, and the latter reported as an unknown method.
    is_notification = method.startswith("notifications/")
    if "id" not in value:
        if not is_notification:
            raise _refusal("id is missing: a request must have one (MCP, Requests).")
        return RpcNotification(method, params)
    if is_notification:
        raise _refusal("id stands in a notification, which must not have one (MCP, Notifications).", echoed)
    if echoed is None:
        raise _refusal(_ID_PROBLEM)
    return RpcRequest(echoed, method, params)


def _response(value: dict[str, Any]) -> RpcResponse:
    id_, result_, error_ = read_id(value.get("id")), value.get("result"), value.get("error")
    if "result" in value and "error" in value:
        raise _refusal("The response has a result and an error (JSON-RPC 2.0, 5).")
    # 5: null if the sender of an error could not read the id; MCP omits it.
    if id_ is None and not ("error" in value and value.get("id") is None):
        raise _refusal(_ID_PROBLEM)
    if "result" in value:
        if not isinstance(result_, dict):
            raise _refusal("result is not a JSON object (MCP, Result Responses).")
        return RpcResponse(id_, result=result_)
    if not _is_error_object(error_):
        raise _refusal("error is not an object with an integer code and a message (MCP, Error Responses).")
    return RpcResponse(id_, error=error_)


def _is_error_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and type(value.get("code")) is int and isinstance(value.get("message"), str)


_ID_PROBLEM = f"id is neither a string of at most {MAX_ID_CHARS} characters nor a 64-bit integer (MCP, Requests)."


def read_id(value: Any) -> Id | None:
    """An id, or a progress token: a string or an integer within the limits; None for any other value. 1.0 is the
    integer 1 (JSON Schema Validation, 6.1.1), and is echoed as that."""
    if isinstance(value, str):
        return value if len(value) <= MAX_ID_CHARS else None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and abs(value) <= MAX_ID_INT else None  # not isinstance: a bool is an int


def _readable_id(value: Any) -> Id | None:
    """The id that an error about this message echoes.

    None for a response: its id was allocated by us, and an error with it would end an unrelated request of the client.
    """
    if not isinstance(value, dict) or ("method" not in value and ("result" in value or "error" in value)):
        return None
    return read_id(value.get("id"))


def _refusal(
    message: str,
    id: Id | None = None,  # noqa: A002 - the wire's name
    code: Code = Code.INVALID_REQUEST,
) -> RpcError:
    return RpcError(code, message, id=id, data=errors.InvalidRequest(message, hint=_HINT).object())


def _refused_json(body: bytes, problem: errors.InvalidRequest) -> RpcError:
    """The error for a body that strict_json rejected: INVALID_REQUEST, with the id, if it is JSON by its grammar;
    PARSE_ERROR otherwise."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_unambiguous, parse_constant=_no_constant, parse_int=_short_int
        )
        echoed = _readable_id(value)
        encode(echoed)  # raises ValueError for half of a surrogate pair, which cannot be echoed
    except (ValueError, RecursionError):
        return _refusal(problem.message, code=Code.PARSE_ERROR)
    return _refusal(problem.message, echoed)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if [name for name, _ in pairs].count("id") > 1:
        del value["id"]  # a repeated id is ambiguous
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _short_int(text: str) -> int | None:
    return int(text) if len(text) < 40 else None  # longer ones are no ids, and int() is quadratic


# --- outgoing messages -----------------------------------------------------------------------------------------------


def result(id: Id, result_json: bytes) -> bytes:  # noqa: A002 - the wire's name
    """A result response; `result_json` is an encoded JSON object."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id_json(id), result_json)


def notification(method: str, params_json: bytes | None = None) -> bytes:
    """A notification; `params_json` is an encoded JSON object."""
    params_part = b"" if params_json is None else b',"params":%b' % params_json
    return b'{"jsonrpc":"2.0","method":%b%b}' % (encode(method), params_part)


def request(id: Id, method: str, params_json: bytes | None = None) -> bytes:  # noqa: A002 - the wire's name
    """A request to a client; `params_json` is an encoded JSON object."""
    params_part = b"" if params_json is None else b',"params":%b' % params_json
    return b'{"jsonrpc":"2.0","id":%b,"method":%b%b}' % (id_json(id), encode(method), params_part)
