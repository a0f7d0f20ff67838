"""The kind of an error that ended a run: set where it is raised, read where a dialect renders it.

The errors are defined in errors.py; how each kind is rendered is decided by the dialects.
"""

from __future__ import annotations

from enum import Enum, auto


class ErrorKind(Enum):
    """The kind of an error. It cannot be inferred from the code: an author's own error may have any code."""

    SERVER = auto()
    """The call has no result: it was stopped from outside, or the server has a defect."""
    TOOL = auto()
    """The error is about the call: its author raised it, or the tool's result could not be sent."""
    MISSING_CAPABILITY = auto()
    """The tool needs a capability that its client did not declare."""
    URL_REQUIRED = auto()
    """The user must open pages before the call is retried."""
    UNKNOWN_RESOURCE = auto()
    """The function of a resource reports that the resource does not exist."""
