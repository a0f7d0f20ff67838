"""Errors that prevent a server from starting, each a one-line message for the person who started it.

No error that a *caller* of a served tool can see may be here: those derive from `mcp_app.protocol.errors`.
"""

from __future__ import annotations


class StartError(Exception):
    """The server cannot start as configured. The message is one line: what is wrong, where, and the remedy."""
