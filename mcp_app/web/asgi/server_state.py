"""What our own server has for the application it serves, in the `state` of ASGI's lifespan and of each request.

Other servers have nothing of it, and none of it is needed. Nothing is called here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..metrics_page import SharedPage

DRAINING_KEY = "mcp_app.draining"
"""The key of a function that subscribes to the beginning of the server's shutdown: server/engine/draining.py."""

STOPPING_KEY = "mcp_app.stopping"
"""The key of a function that says whether the server was ordered to stop, which may be before its shutdown begins."""

MALFORMED_KEY = "mcp_app.malformed"
"""The key of the number of requests that the server refused as malformed: server/engine/malformed.py."""

PROCESSES_KEY = "mcp_app.processes"
"""The key of how many processes serve the application, none of which knows of the others."""

PAGE_KEY = "mcp_app.page"
"""The key of a `SharedPage`, where several processes do that know of each other: server/engine/pages.py."""

OnDraining = Callable[[Callable[[], Awaitable[object] | None]], Callable[[], None]]
"""Subscribes a callback to the beginning of the server's shutdown; returns a function that unsubscribes it."""


class Served(Protocol):
    """An application that uses what its server provides; a server that provides nothing leaves what is there before."""

    on_draining: OnDraining | None
    malformed_requests: Callable[[], int]
    is_stopping: Callable[[], bool]
    processes: int
    page: SharedPage | None
