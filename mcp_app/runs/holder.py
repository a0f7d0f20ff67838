"""Who is at work on the event loop at this moment, as another thread sees it: by the loop's current task and stack.

Reads only. When to look is in loop_watch.py.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import selectors
import sys
import threading
import time
from collections.abc import Callable
from contextvars import Context, ContextVar
from inspect import CO_COROUTINE
from types import FrameType
from typing import Any, NamedTuple

from ..authoring.prompt import Prompt
from ..authoring.resource import Reading, Resource
from ..authoring.tool import Tool
from .callee import Callee
from .end_line import ID_CHARACTERS

WORKING: ContextVar[tuple[Callee, str]] = ContextVar("mcp_app.working")
"""The callee and the id of the run that this task, or the one that started it, works for. For the log alone."""

_NOT_AUTHORS = frozenset({"mcp_app", "asyncio", "hypercorn", "quart", "pydantic", "contextlib", "functools"})
"""Packages between the loop and an author's function."""

_KINDS: dict[type, str] = {Tool: "tool", Prompt: "prompt", Reading: "resource", Resource: "resource"}


class Holder(NamedTuple):
    """`name` is what it is, one of a bounded number; `place` says where; `run` is the id of its run, cut short."""

    name: str
    place: str | None = None
    run: str | None = None

    def __str__(self) -> str:
        place = "" if self.place is None else f" {self.place}"
        return f"{self.name}{place}" if self.run is None else f"{self.name}{place} run={self.run}"


class Cpu(NamedTuple):
    """Seconds that have been worked: by all threads, and by the loop's."""

    process: float
    loop: float


class Stack:
    """The stack of the thread that runs `loop`. Made on the loop, in a task."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._outside = frozenset(frame.f_code for frame in _outside(sys._getframe()))
        self._waiting = self._outside | {selectors.DefaultSelector.select.__code__}  # in which asyncio's loop waits
        self._loop_seconds = _thread_clock(self._thread)

    def cpu_seconds(self) -> Cpu:
        return Cpu(time.process_time(), self._loop_seconds())

    def is_at_work(self) -> bool:
        """Whether anything works there now; False when the loop waits."""
        frame = sys._current_frames().get(self._thread)
        return frame is not None and frame.f_code not in self._waiting

    def holder(self) -> Holder | None:
        """Who works there now; None when the loop waits."""
        frames = self._frames()
        if not frames or frames[0].f_code in self._waiting:
            return None
        author = next((frame for frame in reversed(frames) if _package(frame) not in _NOT_AUTHORS), None)
        place = None if author is None else _place(author)
        working = self._working()
        if working is not None:
            callee, run = working
            return Holder(_name(callee), place, run[:ID_CHARACTERS])
        for frame in reversed(frames):
            owner = frame.f_locals.get("self") if _package(frame) == "mcp_app" else None
            if type(owner) in _KINDS:  # what a validator holds up
                return Holder(_name(owner), place)
        return None if author is None else Holder(author.f_code.co_qualname, place)

    def _frames(self) -> list[FrameType]:
        """From the innermost to the first that the loop has called."""
        frame = sys._current_frames().get(self._thread)
        frames = []
        while frame is not None and frame.f_code not in self._outside:
            frames.append(frame)
            frame = frame.f_back
        return frames

    def _working(self) -> tuple[Callee, str] | None:
        task = asyncio.current_task(self._loop)
        context = None if task is None else _context(task)
        return None if context is None else context.get(WORKING)


def _thread_clock(thread: int) -> Callable[[], float]:
    """The seconds that a thread has worked. macOS and Windows do not tell: there it is the process's, and a plain
    function that keeps the interpreter's lock is taken for one on the loop."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time
    return functools.partial(time.clock_gettime, time.pthread_getcpuclockid(thread))


def _outside(frame: FrameType | None) -> list[FrameType]:
    """The frames that run the loop: those around the outermost coroutine."""
    frames: list[FrameType] = []
    while frame is not None:
        frames = [] if frame.f_code.co_flags & CO_COROUTINE else [*frames, frame]
        frame = frame.f_back
    return frames


def _context(task: asyncio.Task[Any]) -> Context | None:
    if sys.version_info >= (3, 12):
        return task.get_context()
    return next((each for each in gc.get_referents(task) if isinstance(each, Context)), None)


def _name(callee: Any) -> str:
    return f"{_KINDS.get(type(callee), 'run')} {callee.name}"


def _package(frame: FrameType) -> str:
    """The top-level package; "mcp_app.builtin" has authors, too."""
    module: str = frame.f_globals.get("__name__") or ""
    return "mcp_app.builtin" if module.startswith("mcp_app.builtin") else module.partition(".")[0]


def _place(frame: FrameType) -> str:
    return f"at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
