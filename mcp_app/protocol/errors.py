"""Everything that can go wrong for a caller, each with its code on the wire and the HTTP status it deserves.

    McpAppError
    ├── RequestError            refused before a run starts: always JSON with a 4xx (503 while draining)
    │   └── InvalidRequest, InvalidParams, UnknownTool, UnknownRun, UnknownRoute, RunConflict, MethodNotAllowed,
    │       NotAcceptable, BodyTimeout, BodyTooLarge, UnsupportedMediaType, HostNotAllowed, OriginNotAllowed,
    │       AnonymousNotAllowed, CrossSiteNotAllowed, NotReadOnly, Overloaded, Draining
    ├── RunError                how a run ended without a result: the last event of its stream, or a 5xx as JSON
    │   └── ToolFailed, TimeCap, Shutdown, Cancelled, Left, EventTooLarge
    ├── InternalError           a defect of ours, masked
    ├── Purged                  a reader fell behind what the event log keeps
    └── ToolError               raised by a tool's author: its message is meant for the caller

A caller sees `object()` and nothing else: no traceback, no path and no other internal of the process; the log has the
rest, under the same `error_id`. No HTTP response is built here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .error_kind import ErrorKind


class McpAppError(Exception):
    """The root. `code` is the stable word on the wire, `status` the HTTP status when it is answered as JSON.

    `hint` says what the caller can do about it. `details` names the fields at fault, one mapping with `field` and
    `problem` each. `error_id` leads an operator to the log entry with what the caller must not see.
    `headers` are HTTP header fields that the status demands (Allow, Retry-After).
    """

    code: ClassVar[str]
    status: ClassVar[int]
    error_kind: ClassVar[ErrorKind] = ErrorKind.SERVER
    hint: str = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Sequence[Mapping[str, str]] = (),
        error_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not hasattr(type(self), "code"):
            raise TypeError(f"{type(self).__name__} is abstract: raise one of its subclasses")
        super().__init__(message)
        self.message = str(message)  # authors raise ToolError(error) from error
        if hint is not None:
            self.hint = str(hint)
        self.details = tuple(details)
        self.error_id = error_id
        self.headers = dict(headers or {})

    def object(self) -> dict[str, Any]:
        """The error object: the same in the stream, in JSON and in JSON-RPC."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.details:
            shown["details"] = [dict(detail) for detail in self.details]
        if self.error_id is not None:
            shown["error_id"] = self.error_id
        return shown


class RequestError(McpAppError):
    """The request was refused; no tool has run."""


class InvalidRequest(RequestError):
    """The body, query or a header is not what the route takes (RFC 9110, 15.5.1)."""

    code = "invalid_request"
    status = 400
    hint = 'Send {"tool": "NAME", "params": {…}} as one JSON object.'


class InvalidParams(RequestError):
    """The tool exists, its parameters do not validate (RFC 9110, 15.5.21)."""

    code = "invalid_params"
    status = 422
    hint = "The tool's input schema is at the tools route, next to this one."


class UnknownTool(RequestError):
    """No tool of that name is registered."""

    code = "unknown_tool"
    status = 404
    hint = "The tools route, next to this one, lists every tool with its input schema."


class UnknownRun(RequestError):
    """No run of that id or key is known: it never was, it is forgotten, or it is another principal's."""

    code = "unknown_run"
    status = 404
    hint = "A run is kept for a while after its end; start it again."


class UnknownRoute(RequestError):
    """There is nothing at this path."""

    code = "not_found"
    status = 404
    hint = "The manifest at /mcp.json names every route."


class RunConflict(RequestError):
    """The same run key with another tool or other parameters (RFC 9110, 15.5.10)."""

    code = "run_conflict"
    status = 409
    hint = "Choose a new random key for a new call; repeat a key only to come back to the same call."


class MethodNotAllowed(RequestError):
    """The path exists, the method does not (RFC 9110, 15.5.6)."""

    code = "method_not_allowed"
    status = 405
    hint = "The Allow header of this answer names the methods."


class NotReadOnly(RequestError):
    """A tool that may change something was asked for by GET (RFC 9110, 9.2.1: GET is safe)."""

    code = "not_read_only"
    status = 405
    hint = "POST the call to the runs route, next to this one, then follow its events."


class NotAcceptable(RequestError):
    """Accept takes neither an event stream nor JSON (RFC 9110, 15.5.7)."""

    code = "not_acceptable"
    status = 406
    hint = "Accept text/event-stream for a live stream, or application/json for one JSON object."


class BodyTimeout(RequestError):
    """The body did not arrive in time (RFC 9110, 15.5.9)."""

    code = "body_timeout"
    status = 408
    hint = "Send the whole body at once."


class BodyTooLarge(RequestError):
    """The body is larger than this server reads (RFC 9110, 15.5.14)."""

    code = "body_too_large"
    status = 413
    hint = "Send less, or a reference to the data instead of the data."


class UnsupportedMediaType(RequestError):
    """The body's Content-Type is not application/json (RFC 9110, 15.5.16)."""

    code = "unsupported_media_type"
    status = 415
    hint = "Send JSON with the header Content-Type: application/json."


class HostNotAllowed(RequestError):
    """The Host is not one of ours: a DNS rebinding, or a deployment without its setting (RFC 9110, 15.5.20)."""

    code = "host_not_allowed"
    status = 421
    hint = "If this is the server's public name, set MCP_APP_PUBLIC_URL to its URL."


class OriginNotAllowed(RequestError):
    """A page of another origin asked (RFC 9110, 15.5.4)."""

    code = "origin_not_allowed"
    status = 403
    hint = "If this page may call the server, add its origin to MCP_APP_ALLOWED_ORIGINS."


class AnonymousNotAllowed(RequestError):
    """The connection came in on an address that other machines reach, and nobody is asked who they are."""

    code = "anonymous_not_allowed"
    status = 403
    hint = "Call on 127.0.0.1, or set MCP_APP_ALLOW_ANONYMOUS=1 to let anybody who reaches the server run its tools."


class CrossSiteNotAllowed(RequestError):
    """Sec-Fetch-Site says that another site's page wants to start a run."""

    code = "cross_site_not_allowed"
    status = 403
    hint = "Call from a page of this server, or from one whose origin is in MCP_APP_ALLOWED_ORIGINS."


class Overloaded(RequestError):
    """As many runs as this process takes are being worked on."""

    code = "overloaded"
    status = 503
    hint = "Try again after the seconds in Retry-After."


class Draining(RequestError):
    """The server is being stopped: it takes no new run."""

    code = "draining"
    status = 503
    hint = "Try again after the seconds in Retry-After: another process takes over."


class RunError(McpAppError):
    """The run ended without a result; this is its last event."""


class ToolFailed(RunError):
    """The tool raised, or returned what it had not declared. What it raised is in the log under `error_id`."""

    code = "tool_failed"
    status = 500
    error_kind = ErrorKind.TOOL
    hint = "The server's log has the reason under the error_id."


class TimeCap(RunError):
    """The run reached the cap: the age at which it is ended."""

    code = "time_cap"
    status = 504
    hint = "Ask for less, or start a detached run with POST to the runs route and follow it."


class Shutdown(RunError):
    """The server was stopped while the run was being worked on."""

    code = "shutdown"
    status = 503
    hint = "Start the call again: another process takes over."


class Cancelled(RunError):
    """Somebody cancelled the run by DELETE."""

    code = "cancelled"
    status = 409
    hint = "Start the call again if its result is still wanted."


class Left(RunError):
    """The caller closed its stream and did not come back. Seen only by those who follow the run."""

    code = "left"
    status = 409
    hint = "Start a detached run with POST to the runs route to let it outlive its caller."


class EventTooLarge(RunError):
    """The tool sent one event larger than an event may be."""

    code = "event_too_large"
    status = 500
    error_kind = ErrorKind.TOOL
    hint = "The tool must send its result in smaller pieces."


class InternalError(McpAppError):
    """A defect of the server. What happened is in the log under `error_id`."""

    code = "internal_error"
    status = 500
    hint = "The server's log has the reason under the error_id."


class Purged(McpAppError):
    """What the reader asks for is no longer in the event log: it would have got a hole (RFC 9110, 15.5.11)."""

    code = "purged"
    status = 410
    hint = "Ask for the run's state and result at its own route, or start the call again."


class ToolError(McpAppError):
    """Raise it in a tool: its message and hint reach the caller as they are. Any other exception is masked."""

    code = "tool_failed"
    status = 500
    error_kind = ErrorKind.TOOL
    hint = "The tool says why; change the parameters accordingly."


class ToolDefinitionError(TypeError):
    """A function cannot be a tool, and the message says which function, which parameter and why.

    Raised at registration, to the author; it never reaches a caller, which is why it is no `McpAppError`.
    """
