"""Every error that a caller can get, each with its code on the wire and its HTTP status.

    McpAppError
    ├── RequestError            refused before a run starts: always JSON with a 4xx (503 while draining)
    │   └── InvalidRequest, InvalidParams, UnknownTool, UnknownRun, UnknownRoute, RunConflict, IdempotencyKeyReused,
    │       MethodNotAllowed, NotAcceptable, BodyTimeout, BodyTooLarge, UnsupportedMediaType, InvalidCredentials,
    │       Unauthorized, InsufficientScope, HostNotAllowed, OriginNotAllowed, AnonymousNotAllowed,
    │       CrossSiteNotAllowed, NotReadOnly, QueueFull, RateLimited, Overloaded, Draining, NotReady, LogUnavailable
    ├── RunError                a run ended without a result: the last event of its stream, or a 5xx as JSON
    │   └── ToolFailed, TimeCap, Shutdown, Cancelled, Left, CredentialsExpired, Revoked, EventTooLarge,
    │       Interrupted
    ├── InternalError           a defect of the server, masked
    ├── Purged                  a reader fell behind what the event log keeps
    └── ToolError               raised by a tool's author: its message is meant for the caller

The roots are in error_root.py, the errors of who calls in caller_errors.py, how a run ends in run_errors.py. No HTTP is
built here.
"""

from __future__ import annotations

from .caller_errors import (
    AnonymousNotAllowed as AnonymousNotAllowed,
)
from .caller_errors import (
    CredentialsExpired as CredentialsExpired,
)
from .caller_errors import (
    CrossSiteNotAllowed as CrossSiteNotAllowed,
)
from .caller_errors import (
    HostNotAllowed as HostNotAllowed,
)
from .caller_errors import (
    InsufficientScope as InsufficientScope,
)
from .caller_errors import (
    InvalidCredentials as InvalidCredentials,
)
from .caller_errors import (
    OriginNotAllowed as OriginNotAllowed,
)
from .caller_errors import (
    RateLimited as RateLimited,
)
from .caller_errors import (
    Revoked as Revoked,
)
from .caller_errors import (
    Unauthorized as Unauthorized,
)
from .error_kind import ErrorKind
from .error_root import McpAppError as McpAppError
from .error_root import RequestError as RequestError
from .error_root import RunError as RunError
from .log_errors import Fenced as Fenced
from .log_errors import Gap as Gap
from .log_errors import LogRefused as LogRefused
from .run_errors import (
    Cancelled as Cancelled,
)
from .run_errors import (
    EventTooLarge as EventTooLarge,
)
from .run_errors import (
    Interrupted as Interrupted,
)
from .run_errors import (
    Left as Left,
)
from .run_errors import (
    Shutdown as Shutdown,
)
from .run_errors import (
    TimeCap as TimeCap,
)
from .run_errors import (
    ToolFailed as ToolFailed,
)


class InvalidRequest(RequestError):
    """The body, the query or a header field is not valid for the route (RFC 9110, 15.5.1)."""

    code = "invalid_request"
    status = 400
    hint = 'Send {"tool": "NAME", "params": {…}} as one JSON object.'


class InvalidParams(RequestError):
    """The tool exists, but its parameters do not validate (RFC 9110, 15.5.21)."""

    code = "invalid_params"
    status = 422
    hint = "The tool's input schema is at the tools route, next to this one."


class UnknownTool(RequestError):
    """No tool of that name is registered."""

    code = "unknown_tool"
    status = 404
    hint = "The tools route, next to this one, lists every tool with its input schema."


class UnknownRun(RequestError):
    """No run has that id or key: it never existed, it was forgotten, or it belongs to another principal."""

    code = "unknown_run"
    status = 404
    hint = "A run is kept for a while after its end; start it again."


class UnknownRoute(RequestError):
    """There is nothing at this path."""

    code = "not_found"
    status = 404
    hint = "The manifest, mcp.json at the root of these routes, names every one."


class RunConflict(RequestError):
    """The run key is in use for another tool or other parameters (RFC 9110, 15.5.10)."""

    code = "run_conflict"
    status = 409
    hint = "Choose a new random key for a new call; repeat a key only to come back to the same call."


class IdempotencyKeyReused(RequestError):
    """The idempotency key is that of another call (draft-ietf-httpapi-idempotency-key-header-07, 2.7)."""

    code = "idempotency_key_reused"
    status = 422
    hint = "Choose a new random key for a new call; repeat a key only to repeat the same request."


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method (RFC 9110, 15.5.6)."""

    code = "method_not_allowed"
    status = 405
    hint = "The Allow header of this answer names the methods."


class NotReadOnly(RequestError):
    """A tool that is not read-only was called by GET (RFC 9110, 9.2.1: GET is safe)."""

    code = "not_read_only"
    status = 405
    hint = "POST the call to the runs route, next to this one, then follow its events."


class NotAcceptable(RequestError):
    """Accept allows neither an event stream nor JSON (RFC 9110, 15.5.7)."""

    code = "not_acceptable"
    status = 406
    hint = "Accept text/event-stream for a live stream, or application/json for one JSON object."


class BodyTimeout(RequestError):
    """The body did not arrive in time (RFC 9110, 15.5.9)."""

    code = "body_timeout"
    status = 408
    hint = "Send the whole body at once."


class BodyTooLarge(RequestError):
    """The body is larger than the server's limit (RFC 9110, 15.5.14)."""

    code = "body_too_large"
    status = 413
    hint = "Send less, or a reference to the data instead of the data."


class UnsupportedMediaType(RequestError):
    """The body's Content-Type is not application/json (RFC 9110, 15.5.16)."""

    code = "unsupported_media_type"
    status = 415
    hint = "Send JSON with the header Content-Type: application/json."


class QueueFull(RequestError):
    """As many calls wait for this tool, or for this value of its parameter, as may (RFC 6585, 4)."""

    code = "queue_full"
    status = 429
    hint = "Try again after the seconds in Retry-After."


class Overloaded(RequestError):
    """The process is running as many runs as it may (`max_runs`)."""

    code = "overloaded"
    status = 503
    hint = "Try again after the seconds in Retry-After."


class Draining(RequestError):
    """The server is shutting down and accepts no new runs."""

    code = "draining"
    status = 503
    hint = "Try again after the seconds in Retry-After: another process takes over."


class NotReady(RequestError):
    """What the tools need has not been made, or could not be. The log has the reason under `error_id`."""

    code = "not_ready"
    status = 503
    hint = "Try again after the seconds in Retry-After."


class LogUnavailable(RequestError):
    """The event log that the server's processes share cannot be reached."""

    code = "log_unavailable"
    status = 503
    hint = "Try again after the seconds in Retry-After."


class InternalError(McpAppError):
    """A defect of the server. The log has the exception under `error_id`."""

    code = "internal_error"
    status = 500
    hint = "The server's log has the reason under the error_id."


class Purged(McpAppError):
    """The events requested are no longer in the event log, and a reader never gets a gap (RFC 9110, 15.5.11)."""

    code = "purged"
    status = 410
    hint = "Ask for the run's state and result at its own route, or start the call again."


class ToolError(McpAppError):
    """For authors of tools to raise: its message and hint reach the caller unchanged. Other exceptions are masked."""

    code = "tool_failed"
    status = 500
    error_kind = ErrorKind.TOOL


class ToolDefinitionError(TypeError):
    """A function cannot be a tool; the message names the function, the parameter and the reason.

    Raised to the author when the tool is defined. It never reaches a caller, so it is not an `McpAppError`.
    """
