"""Errors that prevent a server from starting, each a one-line message for the person who started it.

No error that a *caller* of a served tool can see may be here: those derive from `mcp_app.protocol.errors`.
"""

from __future__ import annotations


class StartError(Exception):
    """The server cannot start as configured. The message is one line: what is wrong, where, and the remedy."""


def lifespan_line(error: Exception) -> str:
    """What Hypercorn's LifespanFailureError or LifespanTimeoutError says, for who started the server."""
    text = " ".join(str(error).split())
    stage = "stop" if "shutdown" in text.partition(".")[0] else "start"
    if text.startswith("Timeout"):
        setting = "shutdown_timeout" if stage == "stop" else "startup_timeout"
        return f"the application did not {stage} in the seconds of {setting} (hypercorn.toml); its log says what it did"
    message = text.partition(". ")[2].removeprefix("'").removesuffix("'")
    return f"the application did not {stage}: {message}"
