"""What a tool is handed besides its parameters: the way to say what happens, and what it may know of its caller.

In a coroutine or an async generator every method is awaited. In a plain function, which works in a thread of its own,
the same methods are called without `await`; they return when the event is taken. Nothing of HTTP is here but the
request's headers, as a mapping.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from ..aio.done import DONE
from ..asking import Asker, NullAsker, Root, Sample, Visits
from ..asking.questions import Questions
from ..protocol.event import LEVELS, Event, EventType, Level, Shape, encode, number
from ..protocol.http.trace import UNTRACED, Trace
from .content import content_blocks

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

Send = Callable[[Event], Awaitable[None]]
Wait = Callable[[Coroutine[Any, Any, Any]], Any]


class Caller:
    """Who called and when that ends; the same for the whole run.

    `deadline` is a point on time.monotonic()'s clock, in seconds. `reason` is set when the run is ended. `asker` is
    the way to ask back, None where there is none.
    """

    __slots__ = ("asker", "clock", "deadline", "headers", "principal", "reason", "trace")

    def __init__(
        self,
        *,
        principal: str,
        headers: Mapping[str, str],
        deadline: float,
        clock: Callable[[], float],
        asker: Asker | None = None,
        trace: Trace = UNTRACED,
    ) -> None:
        self.asker = asker
        self.principal = principal
        self.headers = headers
        self.deadline = deadline
        self.clock = clock
        self.trace = trace
        self.reason: str | None = None


_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL  # looked up once: an enum's metaclass does it, slowly
_NOTHING_SAID = encode({})

_ASKING_FIRST = threading.Lock()
"""Threads of one tool may ask at once, and what is counted and made once is so for all of them."""

_EXACT = 2**53
"""From here on integers are rounded, as in every binary64 (RFC 8259, 6)."""


class Context:
    """Handed to a tool that has a parameter annotated `Context`, under whatever name."""

    __slots__ = ("_caller", "_questions", "_send", "_wait")

    def __init__(self, send: Send, caller: Caller, wait: Wait | None = None) -> None:
        self._send = send
        self._caller = caller
        self._wait = wait
        self._questions: Questions | None = None  # made for the first: few calls ask anything

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> Awaitable[None]:
        """Say how far the work is: `done` of `total`, in any unit of the tool's own.

        Raises ValueError for what is no finite number.
        """
        said = _NOTHING_SAID if message is None else encode({"message": message})
        return self._send(Event(_PROGRESS, said, _numbers(done, total)))

    def partial(self, data: Any, *, progress: float | None = None, total: float | None = None) -> Awaitable[None]:
        """Send a part of the result now; with numbers, say how far the work is as well.

        Raises ValueError when the data cannot be serialised, and for what is no finite number.
        """
        numbers = b"" if progress is None and total is None else _numbers(progress, total)
        blocks = content_blocks(data)
        if blocks is not None:
            numbers = _numbers(progress, total, content=True)
            return self._send(Event(_PARTIAL, encode(blocks), numbers, Shape.CONTENT))
        return self._send(Event(_PARTIAL, encode(data), numbers))

    def log(self, level: Level, message: str, data: Any = None) -> Awaitable[None]:
        """Send a line for the caller's log.

        Raises ValueError for an unknown level, or data that cannot be serialised.
        """
        if level not in LEVELS:
            raise ValueError(f"{level!r} is not a log level: {', '.join(sorted(LEVELS))}")
        line = {"level": level, "message": message}
        return self._send(Event(EventType.LOG, encode(line if data is None else {**line, "data": data})))

    def let_go(self) -> Awaitable[None]:
        """End the caller's stream now, where the caller comes back for the rest: it need not hold a connection to wait.

        That is so in MCP 2025-11-25, whose streams may be polled; anywhere else nothing happens. The tool goes on.
        """
        asker = self._caller.asker
        return self._send(Event(EventType.LET_GO, b"null")) if asker is not None and asker.polled else DONE

    # --- asking back -------------------------------------------------------------------------------------------------

    def can(self, capability: str) -> bool:
        """Whether the caller can be asked: "elicitation", "elicitation.url", "sampling", "sampling.tools", "roots"."""
        return self._asking().can(capability)

    def ask(self, model: type[M], message: str, *, key: str | None = None) -> Coroutine[Any, Any, M]:
        """Ask the user to fill in a form with the model's fields; the answer is a validated instance.

        The fields are str, int, float, bool, date, datetime, a Literal or an Enum of strings, or a list of these two;
        `Titled` gives a choice its titles. Never ask for a password or a key: `ask_url` is for those.

        A client of MCP 2026-07-28 gets the questions as the answer to its call, and calls again with what the user
        said: then THE TOOL RUNS AGAIN FROM ITS START, and each `ask` that was answered returns at once. What stands
        before an `ask` may so run several times: make it harmless, or keep it in `once`. In older clients' sessions
        the call waits here. Several questions at once: `await asyncio.gather(ctx.ask(…), ctx.sample(…))`.

        key: names the question in all rounds of the call; by default its place among the questions, so that a tool
            whose questions come in another order the next time has to name them.

        Raises Declined when the user says no or closes the form, MissingCapability when the caller cannot be asked,
        NoAnswer when its client fails; at the call itself ToolDefinitionError for a model that no form can show, and
        ValueError for a key that was used before.
        """
        return self._asking().form(model, message, key)

    def ask_url(
        self, url: str, message: str, *, until: Visits | None = None, key: str | None = None
    ) -> Coroutine[Any, Any, None]:
        """Ask the user to open a page, for what must not pass through the client: a login, a payment, a secret.

        It returns when the user agreed to open it; with `until`, once the page has said that it is done with, by
        `until.complete(id)`, where the id stands in the URL as the parameter elicitationId. Put no secret into the
        URL, and let the page find out who opens it. Runs again, and raises, like `ask`.
        """
        return self._asking().url(url, message, key, until, self._caller.principal)

    def sample(
        self,
        messages: Any,
        *,
        max_tokens: int,
        system: str | None = None,
        temperature: float | None = None,
        stop_sequences: list[str] | None = None,
        model_preferences: Mapping[str, Any] | None = None,
        tools: list[Mapping[str, Any]] | None = None,
        tool_choice: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Coroutine[Any, Any, Sample]:
        """Ask the client's model to go on after `messages`: a str, a `Message`, a SamplingMessage, or a list of these.

        max_tokens: of the answer. The other parameters are those of MCP's sampling/createMessage; `tools` and
        `tool_choice` need the capability sampling.tools. Runs again, and raises, like `ask`.
        """
        options = {
            "maxTokens": max_tokens,
            "systemPrompt": system,
            "temperature": temperature,
            "stopSequences": stop_sequences,
            "modelPreferences": model_preferences,
            "tools": tools,
            "toolChoice": tool_choice,
        }
        return self._asking().sample(messages, options, key)

    def roots(self, *, key: str | None = None) -> Coroutine[Any, Any, list[Root]]:
        """Ask for the directories and files that the client considers relevant. Runs again, and raises, like `ask`."""
        return self._asking().roots(key)

    def once(self, key: str, make: Callable[[], Any]) -> Coroutine[Any, Any, Any]:
        """What `make()`, a coroutine or not, returns: made once in a call, however often the tool runs again.

        The value must be one that JSON can carry, and comes back as from JSON. It travels to the client and back,
        sealed against change and not hidden: put no secret into it. A call that is given up is never made good: `make`
        may have run, and nobody come back.
        """
        return self._asking().once(key, make)

    def _asking(self) -> Questions:
        if self._questions is None:
            with _ASKING_FIRST:
                if self._questions is None:
                    self._questions = Questions(self._caller.asker or NullAsker())
        return self._questions

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """In a plain function: wait for `ask`, `sample`, `roots` or `once`, as in `ctx.wait(ctx.roots())`.

        Raises RuntimeError in a coroutine, which awaits them.
        """
        if self._wait is None:
            coroutine.close()
            raise RuntimeError("ctx.wait is for plain functions: write `await` in a coroutine")
        found: T = self._wait(coroutine)
        return found

    # --- of the caller -----------------------------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """Whether the run was ended and the tool should stop.

        A coroutine is told by CancelledError; a plain function that computes for long without a word looks here.
        """
        return self._caller.reason is not None

    @property
    def cancel_reason(self) -> str | None:
        """Why the run was ended, as an error code: left, time_cap, shutdown, cancelled, input_required; None before."""
        return self._caller.reason

    @property
    def deadline(self) -> float:
        """When the run will be ended whatever it does, as a point on time.monotonic()'s clock, in seconds."""
        return self._caller.deadline

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._caller.deadline - self._caller.clock())

    @property
    def principal(self) -> str:
        """Who calls. `anonymous` as long as the server does not authenticate."""
        return self._caller.principal

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's header fields, names in lower case; of a repeated field the values joined by a comma."""
        return self._caller.headers

    @property
    def trace(self) -> Trace:
        """The trace that the caller says its call belongs to: `trace_id`, `baggage`, and `headers()` to send along."""
        return self._caller.trace


def _numbers(progress: float | None, total: float | None, *, content: bool = False) -> bytes:
    if type(progress) is int and type(total) is int and not content and abs(progress) < _EXACT and abs(total) < _EXACT:
        # What nearly all are.
        return b'{"progress":%d,"total":%d}' % (progress, total)
    numbers = {"progress": progress, "total": total}
    said: dict[str, Any] = {name: _number(name, value) for name, value in numbers.items() if value is not None}
    return encode({**said, "content": True} if content else said)


def _number(name: str, value: Any) -> float | int:
    """A JSON number that every reader can hold: a binary64. Of whatever can be made one: a Decimal, numpy's."""
    try:
        converted = float(value)
    except (TypeError, ValueError, OverflowError):
        converted = math.nan
    if not math.isfinite(converted):
        raise ValueError(f"{name} is {str(value)[:40]}, not a finite number")
    return number(converted)
