"""An awaitable that is already done, and unlike a coroutine gives no warning when it is never awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Generator


class _Done(Awaitable[None]):
    def __await__(self) -> Generator[None, None, None]:
        yield from ()


DONE = _Done()
"""Return value of methods that a coroutine awaits and a plain function calls."""
