"""The interface of a call's display, and the choice of one. The displays themselves are in lines.py and bar.py."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from mcp_app.client.lines import Lines
from mcp_app.client.message import ServerMessage
from mcp_app.client.outcome import CallFailed, Status
from mcp_app.client.saving import Saved


class Display(Protocol):
    """Shows one call. `start` comes before the first message, `stop` after the last, also after an error."""

    restore: bytes
    """Written to the terminal when the process exits without `stop`; may be empty."""

    def start(self) -> None: ...
    def show(self, message: ServerMessage) -> None: ...

    def heartbeat(self) -> None:
        """A heartbeat was received."""

    def cancelling(self) -> None:
        """Ctrl-C was pressed, and the server was asked to end the run."""

    def flush(self) -> None:
        """Write out buffered output: all events of one read have been shown."""

    def stop(self) -> None: ...


def is_live(output: TextIO, environment: os._Environ[str] | dict[str, str]) -> bool:
    """Whether a live display may be used: `output` is a terminal with escape sequences, and the user has not disabled
    them (no-color.org: NO_COLOR is set and not empty)."""
    return output.isatty() and not environment.get("NO_COLOR") and environment.get("TERM", "") not in ("", "dumb")


def display_for(tool: str, output: TextIO, saved: Saved, *, full: bool) -> Display:
    """A bar in a terminal, else lines. Raises CallFailed if the bar's dependencies are not installed."""
    if not is_live(output, os.environ):
        return Lines(output, saved)
    try:
        from mcp_app.client.bar import Bar
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    return Bar(tool, output, saved, full=full)


def missing_extra(error: ModuleNotFoundError) -> CallFailed:
    """The error for a user who installed the package without the extra that this command needs."""
    return CallFailed(
        Status.REFUSED,
        f"this command needs the package {error.name}, which is not installed",
        "Install what it needs: pip install rich 'httpx[http2]'.",
    )
