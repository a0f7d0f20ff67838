"""Test tools without a server: a client in memory, with no port, which speaks both dialects and every revision of MCP.

    async with client("tools.py") as c:
        run = c.run("crawl", url="https://example.com")
        async for event in run: ...
        assert await run == {"pages": 3}

    calling.py, run.py, options.py, reading.py   what an author meets
    driver.py       sends the requests of a call and reads what comes
    connection.py   the application, its sessions, what is open
    shared_stream.py  the stream of a session over HTTP+SSE
    in_memory.py    one request to ASGI, and its response
    caller.py       who sends it, as the application is told
    served.py       what `client` is given -> the application
    clock.py        the event loop's time in the hand of a test
    log.py          what is logged, by call
    patience.py     waiting with a bound of real time
    fixtures.py     the fixtures of `pytest_plugins = "mcp_app.testing"`, which alone import pytest

The server imports nothing from here. The requests and events are those of the client's pure half, client/wire.

Each name is imported at its first use (PEP 562): a plugin that is not used costs nothing at the start of pytest.

PYTEST_DONT_REWRITE: pytest would warn of a plugin that the test file has imported before, and there are no assertions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_app.client.wire.conversation import NotSpoken
    from mcp_app.client.wire.question import CANCEL, DECLINE, Question
    from mcp_app.client.wire.run_events import (
        CompleteEvent,
        ErrorEvent,
        LogEvent,
        ProgressEvent,
        QuestionEvent,
        RunEvent,
        StartedEvent,
        TaskEvent,
        UnknownEvent,
    )
    from mcp_app.testing.calling import Client, MakeClient, client
    from mcp_app.testing.clock import MovableClock, NoClock
    from mcp_app.testing.driver import RunCut
    from mcp_app.testing.options import ERAS, CallOptions, Era
    from mcp_app.testing.patience import NothingCame
    from mcp_app.testing.reading import PromptMessages, ResourceRead
    from mcp_app.testing.run import ClientRun

__all__ = [
    "CANCEL",
    "DECLINE",
    "ERAS",
    "CallOptions",
    "Client",
    "ClientRun",
    "CompleteEvent",
    "Era",
    "ErrorEvent",
    "LogEvent",
    "MakeClient",
    "MovableClock",
    "NoClock",
    "NotSpoken",
    "NothingCame",
    "ProgressEvent",
    "PromptMessages",
    "Question",
    "QuestionEvent",
    "ResourceRead",
    "RunCut",
    "RunEvent",
    "StartedEvent",
    "TaskEvent",
    "UnknownEvent",
    "client",
]

_WIRE = "mcp_app.client.wire"

_MODULES = {
    f"{_WIRE}.conversation": ("NotSpoken",),
    f"{_WIRE}.question": ("CANCEL", "DECLINE", "Question"),
    f"{_WIRE}.run_events": tuple(name for name in __all__ if name.endswith("Event")),
    f"{__name__}.calling": ("Client", "MakeClient", "client"),
    f"{__name__}.clock": ("MovableClock", "NoClock"),
    f"{__name__}.driver": ("RunCut",),
    f"{__name__}.options": ("ERAS", "CallOptions", "Era"),
    f"{__name__}.patience": ("NothingCame",),
    f"{__name__}.reading": ("PromptMessages", "ResourceRead"),
    f"{__name__}.run": ("ClientRun",),
}
"""Module -> its names; the same as the imports above, which are for type checkers."""


def __getattr__(name: str) -> Any:
    """Import a name at its first use, and cache it."""
    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(__import__(module, fromlist=[name]), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def pytest_configure(config: Any) -> None:
    """pytest calls this where the module is a plugin: so nothing imports pytest where it is none."""
    from mcp_app.testing import fixtures

    if not config.pluginmanager.is_registered(fixtures):
        config.pluginmanager.register(fixtures)
