"""Runs each of the four kinds of function: yielded items become events, the returned value the result.

Exceptions of the function pass through; run.py maps them to errors. Logs, readers and caps are not known here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import aclosing
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, NamedTuple

from ..authoring.context import Caller, Context, Send, Wait
from ..authoring.kind import Encoded, FailedArguments, Kind
from ..authoring.lazy import ATOMS, lazy, read
from ..authoring.result import Result
from ..protocol.errors import ToolFailed
from ..protocol.event import Event, EventType, NotJson, Shape, encode
from .callee import Callee, called
from .channel import Channel
from .from_thread import Item, Waits
from .kept_thread import KeptThread
from .sends import Emit, Sends, check_waited
from .threads import QUEUE_SECONDS, Threads

Until = Callable[[asyncio.Future[Any]], object]

_MISUSED = (AttributeError, TypeError)
"""What a coroutine raises that is taken for its result: an `await` may have been forgotten."""


class Outcome(NamedTuple):
    """What a function ended with: its result, and for a generator without `Result` how many items it yielded.

    `linked` is the shape of data that links to what is kept; None for data that is whole.
    """

    result: Encoded
    linked: Shape | None = None
    items: int | None = None


Work = Callable[[Callee, dict[str, Any], Caller, Emit, Threads, str, "Until | None"], Coroutine[Any, Any, "Outcome"]]
"""Runs a function to its end, as `work` does."""


def work(
    callee: Callee,
    arguments: dict[str, Any],
    caller: Caller,
    emit: Emit,
    threads: Threads | KeptThread,
    run: str = "",
    until: Until | None = None,
) -> Coroutine[Any, Any, Outcome]:
    """Run the function to its end. `run` names the run in the log. `until` is called with the outcome of a thread,
    which may work for longer than its run.

    Raises whatever it raises, ToolFailed for what cannot be sent, EventTooLarge for a part, and NoThread when none
    is free for it.
    """
    if type(arguments) is FailedArguments:
        return _fail(arguments.error)
    match callee.kind:
        case Kind.COROUTINE:
            return _coroutine(callee, arguments, caller, emit)
        case Kind.ASYNC_GENERATOR:
            return _async_generator(callee, arguments, caller, emit)
        case Kind.FUNCTION | Kind.GENERATOR:
            return _in_thread(callee, arguments, caller, emit, threads, run, until)


async def _fail(error: Exception) -> Outcome:
    raise error


async def _coroutine(callee: Callee, arguments: dict[str, Any], caller: Caller, emit: Emit) -> Outcome:
    sends = None if callee.context is None else Sends(emit)
    arguments = _with_context(callee, arguments, caller, sends.send if sends else None)
    given = callee.function(**arguments)
    # A class around a coroutine function may give an answer of its own.
    try:
        value = await given if type(given) is CoroutineType or inspect.isawaitable(given) else given
    except _MISUSED:
        if sends is not None:
            await sends.check(callee, _context(callee, arguments))
        raise
    if isinstance(value, AsyncGeneratorType) and callee.encode_item is not None:
        return await _iterate_async(callee, arguments, value, emit, sends)
    if sends is not None:
        await sends.check(callee, _context(callee, arguments))
    check_eager(callee, value)
    return Outcome(callee.encode_result(value))


async def _async_generator(callee: Callee, arguments: dict[str, Any], caller: Caller, emit: Emit) -> Outcome:
    sends = None if callee.context is None else Sends(emit)
    arguments = _with_context(callee, arguments, caller, sends.send if sends else None)
    return await _iterate_async(callee, arguments, callee.function(**arguments), emit, sends)


async def _iterate_async(
    callee: Callee, arguments: dict[str, Any], generator: AsyncGenerator[Any, None], emit: Emit, sends: Sends | None
) -> Outcome:
    items = _Items(callee)
    async with aclosing(generator):
        async for value in generator:
            check_eager(callee, value)
            event = items.take(value)
            if event is not None:
                await emit((event,))
    if sends is not None:
        await sends.check(callee, _context(callee, arguments))
    return items.outcome()


def check_eager(callee: Callee, value: Any) -> None:
    """On the loop. Raises ToolFailed for what would work there while it is encoded."""
    kind = lazy(value.parts if isinstance(value, Result) else value)
    if kind is not None:
        raise ToolFailed(
            f"The {called(callee)} is async and gave a {kind.__name__}, which would work on the event loop while "
            "every other caller waits. Give a list made in a thread (asyncio.to_thread); or write it, and what "
            "decorates it, with def."
        )


async def _in_thread(
    callee: Callee,
    arguments: dict[str, Any],
    caller: Caller,
    emit: Emit,
    threads: Threads | KeptThread,
    run: str,
    until: Until | None,
) -> Outcome:
    channel: Channel[Item] = Channel(asyncio.get_running_loop(), lambda item: item.size)
    waits = Waits(channel)
    arguments = _with_context(callee, arguments, caller, channel.send, waits.wait)
    patience = await queue(threads, caller, emit)
    async with (
        threads.run(
            _work_there, callee, arguments, channel, name=f"run {run}: {callee.name}", patience=patience
        ) as outcome,
        waits.answered(),
    ):
        if until is not None:
            until(outcome)
        await relay(channel, waits, emit)
        return await outcome


async def queue(threads: Threads | KeptThread, caller: Caller, emit: Emit) -> float:
    """How many seconds the call waits for a thread. If it has to, its caller is told."""
    # Half of its time at most: what ended by its deadline would not say that it never began.
    patience = (caller.deadline - caller.clock()) / 2
    if not caller.path:
        patience = min(QUEUE_SECONDS, patience)
    if threads.full:
        line = {"level": "notice", "message": f"queued: no thread is free; waiting for one, {patience:.2g} s at most"}
        await emit((Event(EventType.LOG, encode(line)),))
    return patience


async def relay(channel: Channel[Item], waits: Waits, emit: Emit) -> None:
    """Emit what the thread sends, and begin what it waits for, until it is done."""
    while items := await channel.take():
        for events in waits.begin(items):
            await emit(events)


def _work_there(callee: Callee, arguments: dict[str, Any], channel: Channel[Item]) -> Outcome:
    work = _generate if callee.kind is Kind.GENERATOR else _call
    try:
        outcome = work(callee, arguments, channel)
    except _MISUSED:
        if callee.context is not None:
            check_waited(callee, _context(callee, arguments))
        raise
    if callee.context is not None:
        check_waited(callee, _context(callee, arguments))
    return outcome


def _call(callee: Callee, arguments: dict[str, Any], channel: Channel[Item]) -> Outcome:
    value = callee.function(**arguments)
    if isinstance(value, GeneratorType) and callee.encode_item is not None:
        return _iterate(callee, value, channel)  # of the generator function that this one wraps
    if inspect.isawaitable(value) or inspect.isasyncgen(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ToolFailed(
            f"The {called(callee)} returned what has to be awaited: declare it, and what decorates it, with async def."
        )
    return Outcome(callee.encode_result(_read(callee, value, channel)))


def _read(callee: Callee, value: Any, channel: Channel[Item]) -> Any:
    """In a thread: the value with what is lazy in it read. Raises ToolFailed, EventTooLarge, and CancelledError."""
    try:
        if isinstance(value, Result):
            data, content, meta = read(value.parts, channel.is_stopped)
            return Result(data, text=value.text, content=content, meta=meta)
        return read(value, channel.is_stopped)
    except NotJson as error:
        raise ToolFailed(f"The {called(callee)} gave what cannot be sent as JSON: {error}.") from error


def _generate(callee: Callee, arguments: dict[str, Any], channel: Channel[Item]) -> Outcome:
    return _iterate(callee, callee.function(**arguments), channel)


def _iterate(callee: Callee, generator: Generator[Any, None, Any], channel: Channel[Item]) -> Outcome:
    items = _Items(callee)
    try:
        while True:
            try:
                value = next(generator)
            except StopIteration as stop:
                if stop.value is not None:
                    result = stop.value if isinstance(stop.value, Result) else Result(stop.value)
                    items.take(_read(callee, result, channel))
                return items.outcome()
            # Looked at here, not in a call: 0.3 of 5.4 µs for each number that is yielded.
            event = items.take(value if type(value) in ATOMS else _read(callee, value, channel))
            if event is not None:
                channel.put(event)
    finally:
        generator.close()


_CONTENT = encode({"content": True})
"""The metadata of an item that is content blocks of MCP, as of a result that is."""


class _Items:
    """Encodes what a generator yields, and checks the order: items, then at most one `Result`, last."""

    def __init__(self, callee: Callee) -> None:
        assert callee.encode_item is not None  # noqa: S101 - a callee of a kind that yields can encode what it yields
        self._callee = callee
        self._encode = callee.encode_item
        self._count = 0
        self._result: Result[Any] | None = None

    def take(self, value: Any) -> Event | None:
        if self._result is not None:
            raise ToolFailed(f"The {called(self._callee)} went on after its Result: Result is the last thing to yield.")
        if isinstance(value, Result):
            self._result = value
            return None
        self._count += 1
        data, content, _ = self._encode(value)
        return Event(EventType.PARTIAL, data, _CONTENT, Shape.CONTENT) if content else Event(EventType.PARTIAL, data)

    def outcome(self) -> Outcome:
        if self._result is not None:
            return Outcome(self._callee.encode_result(self._result))
        try:
            return Outcome(self._callee.encode_result(None), items=self._count)
        except ToolFailed as error:
            raise ToolFailed(
                f"The {called(self._callee)} ended without the Result that it declares: yield it last."
            ) from error


def _with_context(
    callee: Callee, arguments: dict[str, Any], caller: Caller, send: Send | None, wait: Wait | None = None
) -> dict[str, Any]:
    name = callee.context
    return arguments if name is None or send is None else {**arguments, name: Context(send, caller, wait)}


def _context(callee: Callee, arguments: dict[str, Any]) -> Context:
    assert callee.context is not None  # noqa: S101 - asked for by whoever has it
    context: Context = arguments[callee.context]
    return context
