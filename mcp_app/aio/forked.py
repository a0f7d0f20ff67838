"""Ends a forked copy of this process that comes back from what began before the fork: a function that called `os.fork`
and returned, or raised, twice.

Such a copy has no event loop of its own and no caller, and would hold what it inherited for ever. One that stays in the
function, as those of `multiprocessing` do, is its author's. Tools are not known here.
"""

from __future__ import annotations

import os
import sys
import traceback

generation = 0
"""How many forks lie between this process and the one that imported this module."""

_EXIT_STATUS = 1


def end_copy(since: int, error: BaseException | None = None) -> None:
    """End this process at once if it was forked after `generation` was `since`, and say so on standard error, with
    what it has raised. Nothing that it inherited is flushed or closed."""
    if generation == since:
        return
    try:
        if error is not None:
            traceback.print_exception(error, file=sys.__stderr__)
        if sys.__stderr__ is not None:
            line = "mcp-app: a forked copy of this process came back from the function that made it, and is ended"
            print(f"{line}: os._exit() is for its author to call", file=sys.__stderr__, flush=True)
    finally:
        os._exit(_EXIT_STATUS)


def _count() -> None:
    global generation
    generation += 1


os.register_at_fork(after_in_child=_count)
