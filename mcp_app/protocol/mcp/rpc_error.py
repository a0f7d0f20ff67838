"""JSON-RPC 2.0 errors: MCP's codes, an exception that has one, its encoding, and the mapping of our own errors.

Other messages than the error response are not known here, nor are revisions: where a code belongs to certain revisions,
its docstring says so, and the code that raises it must comply. Sections are those of the JSON-RPC 2.0 specification and
of MCP 2026-07-28, basic/index ("MCP").
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from .. import asking, errors
from ..event import encode
from .advice import object_in_mcp

Id = str | int
"""A request's id (MCP, Requests: "MUST include a string or integer ID", "MUST NOT be null")."""


class Code(IntEnum):
    """Error codes (5.1; MCP, Error Codes). From -32020 to -32099 only those that MCP defines may be sent."""

    PARSE_ERROR = -32700
    """5.1: the body is not JSON."""
    INVALID_REQUEST = -32600
    """5.1: the body is JSON but no message; or the request was refused at the level of HTTP."""
    METHOD_NOT_FOUND = -32601
    """5.1; MCP: 2026-07-28 requires HTTP 404 with it (basic/transports/streamable-http, Protocol Version Header)."""
    INVALID_PARAMS = -32602
    """5.1; MCP: unknown tools, prompts and (from 2026-07-28) resources too, and `_meta` without its required fields."""
    INTERNAL_ERROR = -32603
    """5.1: the request was started and failed on our side."""
    HEADER_MISMATCH = -32020
    """2026-07-28, streamable-http, Server Validation: a header field does not match the body. HTTP 400."""
    MISSING_CLIENT_CAPABILITY = -32021
    """2026-07-28, basic/index, _meta: `data.requiredCapabilities` lists what the client did not declare. HTTP 400."""
    UNSUPPORTED_PROTOCOL_VERSION = -32022
    """2026-07-28, basic/versioning: `data` contains `supported` and `requested`. HTTP 400."""
    RESOURCE_NOT_FOUND = -32002
    """2025-11-25 and older, server/resources, Error Handling. MUST NOT be sent in 2026-07-28: -32602 there."""
    URL_ELICITATION_REQUIRED = -32042
    """2025-11-25 only, client/elicitation, Error Handling. MUST NOT be sent in 2026-07-28."""


class RpcError(Exception):
    """A JSON-RPC error response (5.1), raised or kept as a value.

    `status` is the HTTP status if the error is the complete answer to a 2026-07-28 request. Older revisions have no
    such mapping, and their clients drop the body of a 4xx: requests of sessions are answered with 200. `headers` are
    the header fields that the status requires. It is not an McpAppError: there code and status are attributes of the
    class, here one code occurs with several statuses and with any data.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        id: Id | None = None,  # noqa: A002 - the wire's name
        data: Any = None,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.data = data
        self.status = status
        self.headers = dict(headers or {})

    def encode(self) -> bytes:
        """The error response as one line of JSON."""
        return error(self.id, self.code, self.message, None if self.data is None else encode(self.data))


OK = 200
"""The HTTP status of a failed run: the HTTP exchange succeeded, and a proxy must not take the failure for an HTTP error
and retry."""

RPC_CODES: Mapping[type[errors.McpAppError], tuple[Code, int]] = MappingProxyType(
    {
        # Refused before a run: the error's own status, except for those that have another meaning to MCP clients. 404
        # is an unknown method, an ended session or an older server; 405 an older server; MCP does not use 422.
        errors.RequestError: (Code.INVALID_PARAMS, 400),
        errors.InvalidRequest: (Code.INVALID_REQUEST, 400),
        errors.InvalidParams: (Code.INVALID_PARAMS, 400),
        errors.UnknownTool: (Code.INVALID_PARAMS, 400),
        errors.UnknownRun: (Code.INVALID_PARAMS, 400),
        errors.NotReadOnly: (Code.INVALID_REQUEST, 400),
        errors.RunConflict: (Code.INVALID_REQUEST, 409),
        errors.IdempotencyKeyReused: (Code.INVALID_PARAMS, 400),
        errors.UnknownRoute: (Code.INVALID_REQUEST, 404),
        errors.MethodNotAllowed: (Code.INVALID_REQUEST, 405),
        errors.NotAcceptable: (Code.INVALID_REQUEST, 406),
        errors.BodyTimeout: (Code.INVALID_REQUEST, 408),
        errors.BodyTooLarge: (Code.INVALID_REQUEST, 413),
        errors.UnsupportedMediaType: (Code.INVALID_REQUEST, 415),
        errors.InvalidCredentials: (Code.INVALID_REQUEST, 400),
        errors.Unauthorized: (Code.INVALID_REQUEST, 401),
        errors.InsufficientScope: (Code.INVALID_REQUEST, 403),
        errors.HostNotAllowed: (Code.INVALID_REQUEST, 421),
        errors.OriginNotAllowed: (Code.INVALID_REQUEST, 403),
        errors.AnonymousNotAllowed: (Code.INVALID_REQUEST, 403),
        errors.CrossSiteNotAllowed: (Code.INVALID_REQUEST, 403),
        errors.QueueFull: (Code.INTERNAL_ERROR, 429),
        errors.RateLimited: (Code.INTERNAL_ERROR, 429),
        errors.Overloaded: (Code.INTERNAL_ERROR, 503),
        errors.Draining: (Code.INTERNAL_ERROR, 503),
        errors.NotReady: (Code.INTERNAL_ERROR, 503),
        errors.LogUnavailable: (Code.INTERNAL_ERROR, 503),
        errors.Purged: (Code.INVALID_REQUEST, 410),
        # How a run ended.
        errors.ToolFailed: (Code.INTERNAL_ERROR, OK),
        errors.ToolError: (Code.INTERNAL_ERROR, OK),
        asking.UrlRequired: (Code.URL_ELICITATION_REQUIRED, OK),
        errors.TimeCap: (Code.INTERNAL_ERROR, OK),
        errors.Shutdown: (Code.INTERNAL_ERROR, OK),
        errors.Cancelled: (Code.INTERNAL_ERROR, OK),
        errors.Left: (Code.INTERNAL_ERROR, OK),
        errors.Interrupted: (Code.INTERNAL_ERROR, OK),
        errors.EventTooLarge: (Code.INTERNAL_ERROR, OK),
        errors.CredentialsExpired: (Code.INTERNAL_ERROR, OK),
        errors.Revoked: (Code.INTERNAL_ERROR, OK),
        errors.InternalError: (Code.INTERNAL_ERROR, 500),
        # A class that other code derived from the root.
        errors.McpAppError: (Code.INTERNAL_ERROR, 500),
    }
)
"""Class of error -> JSON-RPC code and HTTP status. For a subclass that is missing, the row of its nearest ancestor."""


def rpc_error(problem: errors.McpAppError, id: Id | None = None) -> RpcError:  # noqa: A002 - the wire's name
    """Convert the error to a JSON-RPC error; `data` is the error object, in MCP's words.

    Similar names stand in the message: most clients show nothing else.
    """
    code, status = next(RPC_CODES[kind] for kind in type(problem).__mro__ if kind in RPC_CODES)
    message = f"{problem.message} {problem.suggestion}" if problem.suggestion else problem.message
    data = object_in_mcp({**problem.object(), "hint": problem.hint})
    return RpcError(code, message, id=id, data=data, status=status, headers=problem.headers)


# --- encoding --------------------------------------------------------------------------------------------------------


def error(
    id: Id | None,  # noqa: A002 - the wire's name
    code: int,
    message: str,
    data_json: bytes | None = None,
) -> bytes:
    """An error response; `data_json` is an encoded JSON value.

    If the id is None the member is omitted, as in MCP's schemas; JSON-RPC 2.0 (5) has null there.
    """
    id_part = b"" if id is None else b'"id":%b,' % id_json(id)
    data_part = b"" if data_json is None else b',"data":%b' % data_json
    return b'{"jsonrpc":"2.0",%b"error":{"code":%d,"message":%b%b}}' % (id_part, code, encode(message), data_part)


def id_json(id: Id) -> bytes:  # noqa: A002 - the wire's name
    """The id as JSON."""
    return b"%d" % id if isinstance(id, int) else encode(id)
