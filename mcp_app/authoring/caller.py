"""`Caller`: who called, until when its run may work, and what of the run all contexts of one function share.

No event is made here, and nothing is asked or called: `Context` has the methods that authors use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..asking import Asker, NullAsker
from ..asking.questions import Questions
from ..protocol.access import Access
from ..protocol.http.trace import UNTRACED, Trace
from .parts import Gauge, Part

if TYPE_CHECKING:
    from .tool import Tool

T = TypeVar("T")

_LOCK = threading.RLock()
"""Guards what is created at its first use: several threads of one tool may ask at once, and must share its keys. Taken
again for the questions of a step, which are made of those of its caller."""

Asked = tuple[str, "CoroutineType[Any, Any, Any]"]
"""A method of `Context` that asks or calls, and its coroutine: nothing comes of one that is not awaited."""


class Callables(Protocol):
    """Calls other tools for one function."""

    def call(
        self, caller: Caller, other: Tool[..., Any] | str, params: Mapping[str, Any], part: Part | None
    ) -> Coroutine[Any, Any, Any]:
        """Call `other` as a step of what `caller` works on, in that `part` of it. See `Context.call`."""

    def call_json(
        self, caller: Caller, other: Tool[..., Any] | str, params: Mapping[str, Any], part: Part | None
    ) -> Coroutine[Any, Any, Any]:
        """The same, with the result as JSON. See `Context.call_json`."""

    def tools(self, caller: Caller) -> Mapping[str, Tool[..., Any]]:
        """Those that the server offers, and this caller is shown, by name."""

    async def until(self, working: Coroutine[Any, Any, T]) -> T:
        """Work until the function has ended. What it called and did not wait for is cancelled then, and has ended when
        this returns."""


class Caller:
    """The caller of one function, and the function's deadline: that of a run, or of a tool that another one called.

    `deadline` is a time.monotonic() value, in seconds. `reason` is set when the run is ended. `asker` sends questions
    to the caller, `calls` calls other tools; each is None if that is impossible. `asked` are the questions and calls
    that have no answer yet, also those that were never awaited. `dialect` is how the run was called.
    """

    __slots__ = (
        *("_gauge", "_questions", "access", "asked", "asker", "calls", "clock", "deadline", "dialect"),
        *("headers", "reason", "trace"),
    )

    path: tuple[str, ...] = ()
    """The names of the steps that lead to the function; none where a client called it."""

    def __init__(
        self,
        *,
        access: Access,
        headers: Mapping[str, str],
        deadline: float,
        clock: Callable[[], float],
        asker: Asker | None = None,
        trace: Trace = UNTRACED,
        dialect: str = "plain",
    ) -> None:
        self.asker = asker
        self.dialect = dialect
        self.calls: Callables | None = None
        self.access = access
        self.headers = headers
        self.deadline = deadline
        self.clock = clock
        self.trace = trace
        self.reason: str | None = None
        self.asked: Sequence[Asked] = ()
        self._questions: Questions | None = None  # created by the first question: few calls ask one
        self._gauge: Gauge | None = None  # and few have parts

    @property
    def principal(self) -> str:
        """Who calls."""
        return self.access.principal

    @property
    def questions(self) -> Questions:
        """The function's questions, with their keys."""
        if self._questions is None:
            with _LOCK:
                if self._questions is None:
                    self._questions = self._new_questions()
        return self._questions

    @property
    def gauge(self) -> Gauge:
        """How far the function is, by its parts."""
        if self._gauge is None:
            with _LOCK:
                if self._gauge is None:
                    self._gauge = self._new_gauge()
        return self._gauge

    def release(self, *, keep_asker: bool) -> None:
        """The function works no more: what it was called with is not kept. Idempotent."""
        # Up to 64 KiB of fields, and of the baggage that askers have, too.
        self.headers, self.trace, self.asked = {}, UNTRACED, ()
        if not keep_asker:
            self.asker = self._questions = None

    def _new_gauge(self) -> Gauge:
        return Gauge()

    def _new_questions(self) -> Questions:
        return Questions(self.asker or NullAsker())
