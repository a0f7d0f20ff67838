"""What a display of a call must be able to do, and which one is used. How each looks is in lines.py and bar.py."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from mcp_app.client.lines import Lines
from mcp_app.client.message import Message
from mcp_app.client.outcome import CallFailed, Status


class Display(Protocol):
    """Shows one call. `start` before the first message, `stop` after the last, on every path."""

    restore: bytes
    """What must be written to the terminal when the process leaves without `stop`; empty for none."""

    def start(self) -> None: ...
    def show(self, message: Message) -> None: ...

    def heartbeat(self) -> None:
        """The server is there and has nothing to say."""

    def cancelling(self) -> None:
        """Ctrl-C was pressed; the server has been asked to end the run."""

    def flush(self) -> None:
        """All that has been read is shown: a good moment to write it out."""

    def stop(self) -> None: ...


def is_live(output: TextIO, environment: os._Environ[str] | dict[str, str]) -> bool:
    """A live display needs a terminal that obeys escape sequences, and a user who has not asked for none (no-color.org:
    NO_COLOR, when set and not empty)."""
    return output.isatty() and not environment.get("NO_COLOR") and environment.get("TERM", "") not in ("", "dumb")


def display_for(tool: str, output: TextIO) -> Display:
    """A bar in a terminal, else lines. Raises CallFailed when what the bar needs is not installed."""
    if not is_live(output, os.environ):
        return Lines(output)
    try:
        from mcp_app.client.bar import Bar
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    return Bar(tool, output)


def missing_extra(error: ModuleNotFoundError) -> CallFailed:
    """What to tell a user who installed the package without what this command needs."""
    return CallFailed(
        Status.REFUSED,
        f"this command needs the package {error.name}, which is not installed",
        "Install the extra that has it: pip install 'mcp-app[cli]'.",
    )
