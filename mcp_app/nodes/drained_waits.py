"""Ends what waits for other nodes, once this process is being stopped. What waits, and for what, is not known here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..protocol.errors import Fenced


class DrainedWaits:
    """Readers of runs that are worked on elsewhere have no last event to wait for here: they go on at another node."""

    def __init__(self) -> None:
        self._begun = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self) -> None:
        """What waits gets Fenced, and so does what would wait. Idempotent."""
        if not self._begun:
            self._begun = True
            for task in tuple(self._tasks):
                task.cancel()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Around a wait of the current task. A cancellation that is somebody else's goes through."""
        if self._begun:
            raise Fenced("this process is being stopped")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        before = task.cancelling()
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._begun or task.uncancel() > before:
                raise
            raise Fenced("this process is being stopped") from None
        finally:
            self._tasks.discard(task)
