"""Which failed call of a tool may be made again, and after how long. Chance is an argument, and so is no clock needed.

queue_full                    always: the tool has not begun
tool_failed and codes of the tool's author's own, time_cap, overloaded
                              of a tool that is read-only or idempotent: it may have begun
all others                    never: the same call would end the same way, or nobody wants it any more
"""

from __future__ import annotations

from mcp_app import Declined, MissingCapability, NoAnswer, ToolError, errors
from mcp_app.builtin.run_workflow.steps import MAX_WAIT_SECONDS, Retry

BEFORE_IT_BEGAN = frozenset([errors.QueueFull.code])
"""Codes of errors with which a call is refused before its tool has done anything."""

_OF_THE_CALLER = (Declined, MissingCapability, NoAnswer)
"""The user has said no, or cannot be asked: another call would only ask again."""

_OF_THE_TOOL = (ToolError, errors.ToolFailed, errors.TimeCap, errors.Overloaded)


def may_be_retried(error: errors.McpAppError, *, repeatable: bool) -> bool:
    """Whether a call that ended with the error may be made again. `repeatable`: of a tool that may be called twice."""
    if isinstance(error, errors.QueueFull):
        return True
    return repeatable and isinstance(error, _OF_THE_TOOL) and not isinstance(error, _OF_THE_CALLER)


def is_retried(retry: Retry | None, error: errors.McpAppError, attempt: int, *, repeatable: bool) -> bool:
    """Whether the call that was the attempt of that number, from 1, is made again."""
    if retry is None or attempt >= retry.attempts or (retry.on is not None and error.code not in retry.on):
        return False
    return may_be_retried(error, repeatable=repeatable)


def wait_seconds(retry: Retry, attempt: int, chance: float, least: float = 0.0) -> float:
    """How long to wait after the attempt of that number, from 1, has failed.

    It doubles from attempt to attempt. `chance`, from 0 to 1, draws between half of it and all of it, so that calls
    that failed together do not come back together. `least` is what the tool's queue asked for.
    """
    most = min(MAX_WAIT_SECONDS, retry.seconds * 2.0 ** (attempt - 1))
    return max(min(least, MAX_WAIT_SECONDS), most * (0.5 + 0.5 * chance))
