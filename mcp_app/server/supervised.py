"""A server that is a worker: it tells its supervisor that it is ready, and hears that it is replaced or has to stop.

What the supervisor does is in `supervisor/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from hypercorn.config import Config

from . import forced_exit
from .engine.pages import OwnPage, SharedPages
from .engine.sharing import ConnectionCounts, OpenConnections, Siblings
from .logs.access import WORKER
from .supervisor.control import ControlSocket
from .supervisor.inheritance import Inheritance, opened

OnReady = Callable[[list[str]], None]
"""Called once, on the loop, when every address accepts connections, with the URLs and their actual ports."""


class Supervised:
    """What it has from its supervisor."""

    def __init__(self, inheritance: Inheritance, config: Config) -> None:
        """Before anything of an author is imported, which could start programs. `config` is set to the addresses that
        were bound. Raises StartError."""
        self.number, self.count = inheritance.number, inheritance.of
        self.sockets = inheritance.adopt(config)
        self.admin_sockets = opened(inheritance.admin)
        setattr(config, WORKER, self.number)
        self.hand_over_seconds = 0.0
        """How long it takes at most to finish what it has begun."""
        self._announces = inheritance.announces
        counts = ConnectionCounts(inheritance.connections, inheritance.of)
        self._connections = OpenConnections(counts, inheritance.number)
        self._page = OwnPage(SharedPages(inheritance.pages, inheritance.of), inheritance.number)
        os.set_inheritable(inheritance.pages, False)
        os.close(inheritance.connections)  # what it was opened for is mapped
        self._control = ControlSocket(inheritance.control)
        # A service manager may signal every process of the service: what SIGUSR2 asks for is the supervisor's to do.
        # Not ignored, which what a tool starts would inherit.
        signal.signal(signal.SIGUSR2, lambda number, frame: None)

    def announcing(self, on_ready: OnReady | None) -> OnReady:
        """The same, and tell the supervisor. Only the first of all workers says to people where it serves."""

        def ready(urls: list[str]) -> None:
            self._control.ready(self.hand_over_seconds)
            if on_ready is not None and self._announces:
                on_ready(urls)

        return ready

    def listen(self, stop: Callable[[], object], seconds: float) -> Siblings:
        """Call `stop()` on the running loop when the supervisor says so or is gone, and end the process by force
        `seconds` later."""
        loop = asyncio.get_running_loop()
        replaced = asyncio.Event()

        def on_replaced() -> None:
            _on_loop(loop, replaced.set)

        def on_stop() -> None:
            # In this thread: a tool may hold the loop.
            forced_exit.exit_after(seconds)
            forced_exit.exit_without_python(seconds + 2 * forced_exit.FLUSH_SECONDS)
            _on_loop(loop, stop)

        async def wait() -> float:
            await replaced.wait()
            return self.hand_over_seconds

        self._control.listen(on_replaced, on_stop)
        return Siblings(self._connections, self._page, wait)


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends already
        loop.call_soon_threadsafe(function)
