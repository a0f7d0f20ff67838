"""Whose an error is that ended a run: a word that goes with it from where it is raised to where it is rendered.

The errors themselves are in errors.py, and what a dialect makes of each kind is its own.
"""

from __future__ import annotations

from enum import Enum, auto


class ErrorKind(Enum):
    """The code does not tell: that of an author's own error may be any."""

    SERVER = auto()
    """The call has no result: it was ended from outside, or the server has a defect."""
    TOOL = auto()
    """It says something of the call itself: the tool's author does, or what the tool did could not be sent."""
    MISSING_CAPABILITY = auto()
    """The tool asked for what its client cannot do."""
    URL_REQUIRED = auto()
    """Pages must be opened before the call is made again."""
    UNKNOWN_RESOURCE = auto()
    """The function of a resource says that there is nothing."""
