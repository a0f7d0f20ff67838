"""The error that callers see when a function fails: the author's ToolError as it is, anything else masked by an id.

Nothing is appended or ended here.
"""

from __future__ import annotations

import logging
import re
import secrets

from ..authoring.content_data import ContentTooLarge
from ..authoring.resource import Reading, UnknownResource
from ..protocol.errors import (
    EventTooLarge,
    InsufficientScope,
    InvalidParams,
    McpAppError,
    QueueFull,
    RateLimited,
    TimeCap,
    ToolError,
    ToolFailed,
    UnknownTool,
)
from ..protocol.event import NotJson, encode, sendable_text
from ..protocol.linked import MAX_RESULT_BYTES, too_large
from ..protocol.relay import RelayedError
from .callee import Callee, called
from .memory import NoMemory
from .processes import NoProcess
from .queues import PushedOut
from .threads import NoThread

logger = logging.getLogger("mcp_app.runs")

_CODE = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_NO_ERROR = "complete"  # it would make a success of a failure


class StepFailed(ToolFailed):
    """A tool that this one called has failed, and is in the log under the `error_id`. A class of its own, as are all
    that are told as they are: a ToolFailed that a function raises is a failure of that function."""


class StepTimeCap(TimeCap):
    """A tool that this one called has reached its own time limit."""

    hint = "Ask for less."


class StepQueueFull(QueueFull):
    """As many calls wait for a tool that this one called as may."""


class StepRateLimited(RateLimited):
    """A tool that this one called has been called as often as its limit allows."""


_TOLD = (
    *(EventTooLarge, NoThread, NoProcess, NoMemory, RelayedError, StepFailed, StepTimeCap, StepQueueFull),
    *(StepRateLimited, PushedOut),
    InsufficientScope,  # also of an author, who knows by the arguments what a call needs
)

_RAISED: dict[str, type[McpAppError]] = {
    each.code: each
    for each in (
        EventTooLarge,
        NoProcess,
        StepFailed,
        StepTimeCap,
        StepQueueFull,
        StepRateLimited,
        InvalidParams,
        UnknownTool,
    )
}
"""By its code, what a step can raise; NoThread and NoMemory are caught as what NoProcess is, `Overloaded`."""


def step_error(error: BaseException, callee: Callee, run: str, most: int) -> McpAppError:
    """The error of a tool that another one called, for that one to catch, or to end with."""
    told = run_error(error, callee, run, most)
    if type(told) is ToolFailed:
        return StepFailed(told.message, error_id=told.error_id)
    return raised_here(told) if isinstance(told, RelayedError) else told


def raised_here(error: RelayedError) -> McpAppError:
    """What another process has told of a step, as it is raised where the step works here: to be caught by its class."""
    known = _RAISED.get(error.code)
    if error.code == InsufficientScope.code and not isinstance(error, ToolError):
        return InsufficientScope(map(str, error.object().get("scopes", ())))
    if known is None or isinstance(error, ToolError):
        return error
    if known is StepFailed and error.error_id is None:  # it is in no log yet
        known = ToolFailed
    sent = error.object()
    details = sent.get("details", ())
    return known(error.message, hint=error.hint, details=details, error_id=error.error_id)


def run_error(error: BaseException, callee: Callee, run: str, most: int) -> McpAppError:
    """The error of a run of `callee`, which the log calls `run`."""
    subject, is_resource = f"The {called(callee)}", isinstance(callee, Reading)
    return public_error(error, subject, f"run {run}: {callee.name}", most, is_resource=is_resource)


def public_error(
    error: BaseException, subject: str, logged: str, most: int, *, is_resource: bool = False
) -> McpAppError:
    """The error for callers, in at most `most` bytes; what it hides is logged under its `error_id`.

    `subject` is what failed, for callers, as in `The tool echo`; `logged` is the same for the log. A resource may say
    that there is none at its URI.
    """
    cause = _only_cause(error)
    if isinstance(cause, ContentTooLarge):
        cause = too_large("Content", cause.size, MAX_RESULT_BYTES)
    if isinstance(cause, _TOLD) or (isinstance(cause, UnknownResource) and is_resource):
        return cause
    if isinstance(cause, ToolError):
        try:
            return _sendable(cause, most)
        except Exception as unsendable:  # an author's class may raise anything
            error = unsendable
            error.__cause__ = cause
    error_id = secrets.token_hex(8)
    logger.error("%s failed [error_id %s]", logged, error_id, exc_info=error)
    if isinstance(cause, ToolFailed):
        return ToolFailed(cause.message, error_id=error_id)
    if isinstance(cause, NotJson):  # given to ctx.partial or ctx.log; of an item or a result it is a ToolFailed
        return ToolFailed(f"{subject} gave what cannot be sent as JSON: {cause}.", error_id=error_id)
    return ToolFailed(f"{subject} failed.", error_id=error_id)


def error_code(error: BaseException) -> str:
    """The code that callers will see of what a function raised."""
    cause = _only_cause(error)
    if isinstance(cause, _TOLD) or (isinstance(cause, ToolError) and _is_code(cause.code)):
        return cause.code
    return ToolFailed.code


def _is_code(code: str) -> bool:
    return _CODE.fullmatch(code) is not None and code != _NO_ERROR


def _sendable(error: ToolError, most: int) -> McpAppError:
    if not _is_code(error.code):
        raise ValueError(f"{error.code!r} is no code for an error")
    error.message, error.hint = sendable_text(error.message), sendable_text(error.hint)
    error.details = tuple({name: sendable_text(text) for name, text in each.items()} for each in error.details)
    size = len(encode(error.object()))
    return error if size <= most else too_large("An error", size, most)


def _only_cause(error: BaseException) -> BaseException:
    """The error in a task group's exception group: the only one, or the first of several that are meant for callers."""
    while isinstance(error, BaseExceptionGroup):
        meant, rest = error.split((ToolError, ToolFailed, UnknownResource, NotJson, ContentTooLarge, *_TOLD))
        if meant is None or rest is not None:
            return error
        error = meant.exceptions[0]
    return error
