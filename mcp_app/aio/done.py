"""An awaitable that is done already, and does not complain when nobody awaits it, as a coroutine would."""

from __future__ import annotations

from collections.abc import Awaitable, Generator


class _Done(Awaitable[None]):
    def __await__(self) -> Generator[None, None, None]:
        yield from ()


DONE = _Done()
"""For methods that a coroutine awaits and a plain function calls."""
