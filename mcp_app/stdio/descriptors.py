"""Puts aside the descriptors by which the client talks to this process, before a tool is imported.

From then on descriptor 0 is empty and descriptor 1 is standard error, for Python, for libraries in C and for programs
that a tool starts: what they print reaches the log of the client, and what they read is the end of a file. No message
is read or written here.
"""

from __future__ import annotations

import io
import os
import sys
from typing import NamedTuple

from ..server.errors import StartError

_STANDARD_INPUT, _STANDARD_OUTPUT, _STANDARD_ERROR = 0, 1, 2


class Descriptors(NamedTuple):
    """Where messages come from and go to, and the process that started this one."""

    incoming: int
    outgoing: int
    parent: int


def put_aside() -> Descriptors:
    """Take the standard streams from the process. Once per process. Raises `StartError` if one of them is closed."""
    if sys.__stdin__ is None or sys.__stdout__ is None:
        closed = "standard input" if sys.__stdin__ is None else "standard output"
        raise StartError(f"{closed} is closed: --stdio is for an MCP client, which starts this command with both")
    parent = os.getppid()
    # Neither is inherited by a program that a tool starts (PEP 446).
    incoming, outgoing = os.dup(_STANDARD_INPUT), os.dup(_STANDARD_OUTPUT)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, _STANDARD_INPUT)
    os.close(null)
    os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # as standard error is: a client shows what a tool has just printed
    os.register_at_fork(after_in_child=lambda: _close(incoming, outgoing))
    return Descriptors(incoming, outgoing, parent)


def _close(*descriptors: int) -> None:
    """In a process that is a copy of this one: while it has them, the client does not learn that this one has ended."""
    for each in descriptors:
        try:
            os.close(each)
        except OSError:  # whoever forked has closed all that it knew
            continue
