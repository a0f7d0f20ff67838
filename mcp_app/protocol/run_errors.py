"""The errors with which a run ends without a result: the last event of its stream.

Those of who calls, with which a run may end as well, are in caller_errors.py, and what a tool's author raises in
errors.py, which has them all. No HTTP is built here.
"""

from __future__ import annotations

from .error_kind import ErrorKind
from .error_root import RunError


class ToolFailed(RunError):
    """The tool raised an exception, or its result does not fit its declaration. The log has it under `error_id`."""

    code = "tool_failed"
    status = 500
    error_kind = ErrorKind.TOOL
    hint = "The server's log has the reason under the error_id."


class TimeCap(RunError):
    """The run reached the cap: the maximum age of a run."""

    code = "time_cap"
    status = 504
    hint = "Ask for less, or start a detached run with POST to the runs route and follow it."


class Shutdown(RunError):
    """The server was stopped while the run was in progress."""

    code = "shutdown"
    status = 503
    hint = "Start the call again: another process takes over."


class Cancelled(RunError):
    """The run was cancelled by DELETE."""

    code = "cancelled"
    status = 409
    hint = "Start the call again if its result is still wanted."


class Left(RunError):
    """The caller closed its stream and did not reconnect. Only followers of the run can see this error."""

    code = "left"
    status = 409
    hint = "Start a detached run with POST to the runs route to let it outlive its caller."


class Interrupted(RunError):
    """The process that worked on the run is gone: it was killed, or lost the event log for too long."""

    code = "interrupted"
    status = 503
    hint = "Start the call again: the tool may have done a part of its work."


class EventTooLarge(RunError):
    """The tool sent an event, or a result, that is neither sent nor kept, as it is too large."""

    code = "event_too_large"
    status = 500
    error_kind = ErrorKind.TOOL
    hint = "Ask for less at once. The tool's author can yield the result in parts, or return a ResourceLink to it."
