"""Somebody else on the loop, to see how often what is tested lets others have a turn. Not a test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Others:
    """Somebody else who wants every turn of the loop; after `since_the_last` it has had so many."""

    def __init__(self) -> None:
        self.turns = 0

    def since_the_last(self) -> int:
        turns, self.turns = self.turns, 0
        return turns

    @contextmanager
    def busy(self) -> Iterator[None]:
        async def take() -> None:
            while True:
                await asyncio.sleep(0)
                self.turns += 1

        task = asyncio.create_task(take())
        try:
            yield
        finally:
            task.cancel()
