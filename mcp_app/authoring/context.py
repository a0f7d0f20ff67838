"""`Context`: a tool's access to its run and its caller: progress, logging, questions, cancellation, header fields.

In a coroutine or an async generator every method is awaited. In a plain function, which runs in a thread of its own,
the same methods are called without `await`; they return when the event is accepted. Of HTTP only the request's header
fields are here, as a mapping.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from pydantic import BaseModel

from ..aio.done import DONE
from ..aio.in_thread import in_thread
from ..asking import Root, Sample, Visits
from ..protocol.event import LEVELS, Event, EventType, Level, Shape, encode, encode_message
from .caller import Asked as Asked
from .caller import Callables
from .caller import Caller as Caller
from .content_blocks import content_blocks
from .knows_caller import KnowsCaller
from .lazy import eager, read
from .parts import Part
from .progress_numbers import numbers_of

if TYPE_CHECKING:
    from .tool import Tool

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

Send = Callable[[Event], Awaitable[None]]
Wait = Callable[[Coroutine[Any, Any, Any]], Any]

_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL  # looked up once: the enum's metaclass is slow
_NO_MESSAGE = encode({})


class Context(KnowsCaller):
    """Passed to a tool's parameter that is annotated `Context`, whatever its name."""

    __slots__ = ("_part", "_send", "_wait", "_whole")

    def __init__(self, send: Send, caller: Caller, wait: Wait | None = None, part: Part | None = None) -> None:
        self._send = send
        self._caller = caller
        self._wait = wait
        self._part = part
        if part is not None:
            self._whole = send
            self._send = lambda event: send(part.event(event))

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> Awaitable[None]:
        """Report progress: `done` of `total`, in any unit.

        Raises ValueError for a value that is not a finite number.
        """
        data = _NO_MESSAGE if message is None else encode_message({"message": message})
        return self._send(Event(_PROGRESS, data, numbers_of(done, total)))

    def partial(self, data: Any, *, progress: float | None = None, total: float | None = None) -> Awaitable[None]:
        """Send a part of the result now; with numbers, report progress as well.

        Raises ValueError if the data cannot be serialised, or a number is not finite.
        """
        numbers = b"" if progress is None and total is None else numbers_of(progress, total)
        data = self._settled(data)
        blocks = content_blocks(data)
        if blocks is not None:
            numbers = numbers_of(progress, total, content=True)
            return self._send(Event(_PARTIAL, encode(blocks), numbers, Shape.CONTENT))
        return self._send(Event(_PARTIAL, encode(data), numbers))

    def log(self, level: Level, message: str, data: Any = None) -> Awaitable[None]:
        """Send a log message to the caller.

        Raises ValueError for an unknown level, or data that cannot be serialised.
        """
        if level not in LEVELS:
            raise ValueError(f"{level!r} is not a log level: {', '.join(sorted(LEVELS))}")
        line: dict[str, Any] = {"level": level, "message": message}
        if data is not None:
            line["data"] = self._settled(data)
        return self._send(Event(EventType.LOG, encode_message(line)))

    def let_go(self) -> Awaitable[None]:
        """Close the caller's stream now if the caller polls: it need not hold a connection while it waits.

        Only in MCP 2025-11-25, whose streams may be polled: the caller reconnects for the rest. Otherwise this does
        nothing. The tool continues.
        """
        asker = self._caller.asker
        polled = asker is not None and asker.polled
        return self._send(Event(EventType.LET_GO, b"null", shape=Shape.PRIVATE)) if polled else DONE

    # --- asking back -------------------------------------------------------------------------------------------------

    def can(self, capability: str) -> bool:
        """Whether the caller can be asked: "elicitation", "elicitation.url", "sampling", "sampling.tools", "roots"."""
        return self._caller.questions.can(capability)

    def ask(self, model: type[M], message: str, *, key: str | None = None) -> Coroutine[Any, Any, M]:
        """Ask the user to fill in a form with the model's fields; the answer is a validated instance.

        The fields are str, int, float, bool, date, datetime, a Literal or an Enum of strings, or a list of these two;
        `Titled` gives a choice its titles. Never ask for a password or a key: `ask_url` is for those.

        A client of MCP 2026-07-28 gets the questions as the answer to its call, and retries the call with the user's
        answers: then THE TOOL RUNS AGAIN FROM ITS START, and each `ask` that was answered returns immediately. Code
        before an `ask` may therefore run several times: make it idempotent, or wrap it in `once`. In sessions of older
        clients the call waits here. Several questions at once: `await asyncio.gather(ctx.ask(…), ctx.sample(…))`.

        key: identifies the question in all rounds of the call. The default is its position among the questions: a tool
            that may ask them in another order the next time must set it.

        Raises Declined if the user declines or closes the form, MissingCapability if the caller cannot be asked, and
        NoAnswer if its client fails; when called, before the await, ToolDefinitionError for a model that no form can
        show, and ValueError for a key that was used before.
        """
        return self._asked("ask", self._caller.questions.form(model, message, key))

    def ask_url(
        self, url: str, message: str, *, until: Visits | None = None, key: str | None = None
    ) -> Coroutine[Any, Any, None]:
        """Ask the user to open a page, for data that must not pass through the client: a login, a payment, a secret.

        Returns when the user has agreed to open it; with `until`, when the page has called `until.complete(id)`, where
        the id is the URL's query parameter elicitationId. Put no secret into the URL, and let the page authenticate
        its visitor. Runs again, and raises, like `ask`.
        """
        return self._asked("ask_url", self._caller.questions.url(url, message, key, until, self._caller.principal))

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
        """Ask the client's model to continue `messages`: a str, a `Message`, a SamplingMessage, or a list of these.

        max_tokens: the limit of the answer. The other parameters are those of MCP's sampling/createMessage; `tools`
        and `tool_choice` need the capability sampling.tools. Runs again, and raises, like `ask`.
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
        eager([messages, options])
        return self._asked("sample", self._caller.questions.sample(messages, options, key))

    def roots(self, *, key: str | None = None) -> Coroutine[Any, Any, list[Root]]:
        """Ask for the directories and files that the client considers relevant. Runs again, and raises, like `ask`."""
        return self._asked("roots", self._caller.questions.roots(key))

    def once(self, key: str, make: Callable[[], Any]) -> Coroutine[Any, Any, Any]:
        """The return value of `make()`, or of its coroutine, which runs once per call even if the tool runs again.

        The value must be JSON-serialisable, and is returned as decoded from JSON. The client stores it between the
        rounds, authenticated but not encrypted: put no secret into it. A client may abandon the call and never retry
        it: `make` may then have run, and nothing undoes it.

        In a plain function `make` is called in a thread, where it may block, too.
        """

        async def made() -> Any:
            here = self._wait is None
            value = make() if here else await in_thread(lambda: self._settled(make()))
            return eager(await value if inspect.isawaitable(value) else value)

        return self._asked("once", self._caller.questions.once(key, made))

    def _settled(self, data: Any) -> Any:
        """The data without what is lazy: refused on the event loop, read in a thread."""
        return eager(data) if self._wait is None else read(data, lambda: self.cancelled)

    def _asked(self, method: str, coroutine: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        started, caller = cast("CoroutineType[Any, Any, T]", coroutine), self._caller
        caller.asked = [*(each for each in caller.asked if each[1].cr_frame is not None), (method, started)]
        return coroutine

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """In a plain function: wait for what coroutines await (`ask`, `call`, …), as in `ctx.wait(ctx.roots())`.

        Raises RuntimeError in a coroutine, which must await them.
        """
        if self._wait is None:
            coroutine.close()
            raise RuntimeError("ctx.wait is for plain functions: write `await` in a coroutine")
        result: T = self._wait(coroutine)
        return result

    # --- other tools -------------------------------------------------------------------------------------------------

    @overload
    def call(self, other: Tool[..., Coroutine[Any, Any, T]], /, **params: Any) -> Coroutine[Any, Any, T]: ...
    @overload
    def call(self, other: Tool[..., Any] | str, /, **params: Any) -> Coroutine[Any, Any, Any]: ...
    def call(self, other: Tool[..., Any] | str, /, **params: Any) -> Coroutine[Any, Any, Any]:
        """Call another tool as a step of this one; returns its result as Python's value, validated by its annotation.

        other: the tool, or the name of one that the server has. What yields and has no `Result` returns a list of its
            items. params: validated as a client's are, and may be models, dates and the like.

        What the other tool sends is sent as this one's, with `path`, the names of the steps, in its metadata. Its
        questions go to the same caller. It shares this run's deadline, unless its own `time_limit` is earlier, and is
        cancelled with what awaits it; it never outlives the function that called it. Several at once:
        `await asyncio.gather(ctx.call(…), ctx.call(…))`. In a plain function: `ctx.wait(ctx.call(…))`.

        A tool is called whatever scopes it needs: that is this function's own doing. What is only named is looked up
        for the caller, who may have chosen the name: InsufficientScope, or UnknownTool where the caller is not shown
        it.

        Raises the other's ToolError as it is; `errors.ToolFailed` if it failed otherwise, with its `error_id`, and
        beyond 8 calls one in the other or 1,000 in one run; `errors.TimeCap` at its time limit; InvalidParams and
        UnknownTool for what could not be called.
        """
        return self._asked("call", self._calls.call(self._caller, other, self._settled(params), self._part))

    def call_json(self, other: Tool[..., Any] | str, params: Mapping[str, Any], /) -> Coroutine[Any, Any, Any]:
        """`call`, with the result as the JSON value that a client would be sent; content is its blocks of MCP.

        For a tool that does not know what it calls: the caller has to have the scopes of a tool, too, not only of a
        name. Raises as `call` does, and `errors.EventTooLarge` for a result that is larger than one that a client can
        be given, 16 MiB of JSON.
        """
        return self._asked("call_json", self._calls.call_json(self._caller, other, self._settled(params), self._part))

    @property
    def tools(self) -> Mapping[str, Tool[..., Any]]:
        """The tools that the server offers now and the caller is shown, by name: what each takes and returns
        (`input_schema`, `output_schema`), which `scopes` it needs, and what it says of itself. They are called by
        `call` or `call_json`, not by themselves.

        Raises `errors.ToolFailed` in a tool with placement="process", which does not know the server's tools.
        """
        return self._calls.tools(self._caller)

    @property
    def _calls(self) -> Callables:
        if self._caller.calls is None:
            raise RuntimeError("no tool can be called here: this Context is of no run")
        return self._caller.calls

    def part(self, start: float, end: float, name: str | None = None) -> Context:
        """A context for a part of the work: its progress, `done` of `total`, counts from `start` to `end` percent.

        Pass it to functions that report their own progress, or call a tool in it: `await ctx.part(0, 50).call(…)`. What
        this function reports itself should then be of 100. `name` makes the part a step, whose events have it in their
        `path`; a call in it is named so, instead of by its tool.

        Raises ValueError unless 0 <= start <= end <= 100.
        """
        if self._part is None:
            return Context(self._send, self._caller, self._wait, Part(self._caller.gauge).part(start, end, name))
        return Context(self._whole, self._caller, self._wait, self._part.part(start, end, name))


def unanswered(context: Context) -> Sequence[Asked]:
    """The questions that have no answer yet, also those that were never awaited. For what runs the function."""
    return context._caller.asked
