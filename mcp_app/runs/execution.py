"""How each of the four kinds of function is worked on: what it yields becomes events, what it returns the result.

A tool's own exceptions pass through untouched; whoever runs the tool says what they mean. Nothing here knows of logs,
readers or the caps.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ..authoring.context import Caller, Context, Send, Wait
from ..authoring.tool import Kind, Result, Tool
from ..protocol.errors import ToolFailed
from ..protocol.event import Event, EventType, encode
from .from_thread import Item, Waits
from .threads import Channel, Threads

Emit = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What a tool ended with: its encoded result, and for a generator without `Result` how many items it yielded."""

    data: bytes
    items: int | None = None
    content: bool = False
    """Whether the result is content blocks of MCP, a list, rather than a value of the tool's own."""


def work(
    tool: Tool, arguments: dict[str, Any], caller: Caller, emit: Emit, threads: Threads
) -> Coroutine[Any, Any, Outcome]:
    """Run the tool to its end. Raises whatever it raises, and ToolFailed for what cannot be sent."""
    match tool.kind:
        case Kind.COROUTINE:
            return _coroutine(tool, arguments, caller, emit)
        case Kind.ASYNC_GENERATOR:
            return _async_generator(tool, arguments, caller, emit)
        case Kind.FUNCTION | Kind.GENERATOR:
            return _in_thread(tool, arguments, caller, emit, threads)


async def _coroutine(tool: Tool, arguments: dict[str, Any], caller: Caller, emit: Emit) -> Outcome:
    value = await tool.function(**_with_context(tool, arguments, caller, lambda event: emit((event,))))
    return _outcome(tool, value)


async def _async_generator(tool: Tool, arguments: dict[str, Any], caller: Caller, emit: Emit) -> Outcome:
    items = _Items(tool)
    generator: AsyncGenerator[Any, None] = tool.function(
        **_with_context(tool, arguments, caller, lambda event: emit((event,)))
    )
    async with aclosing(generator):
        async for value in generator:
            event = items.take(value)
            if event is not None:
                await emit((event,))
    return items.outcome()


async def _in_thread(tool: Tool, arguments: dict[str, Any], caller: Caller, emit: Emit, threads: Threads) -> Outcome:
    channel: Channel[Item] = Channel(asyncio.get_running_loop(), lambda item: item.size)
    waits = Waits(channel)
    arguments = _with_context(tool, arguments, caller, channel.send, waits.wait)
    work_there = _generate if tool.kind is Kind.GENERATOR else _call
    async with (
        threads.run(work_there, tool, arguments, channel) as outcome,
        waits.answered(),
    ):
        while items := await channel.take():
            for events in waits.begin(items):
                await emit(events)
        return await outcome


def _call(tool: Tool, arguments: dict[str, Any], _: Channel[Item]) -> Outcome:
    value = tool.function(**arguments)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ToolFailed(
            f"The tool {tool.name} returned what has to be awaited: declare it, and what decorates it, with async def."
        )
    return _outcome(tool, value)


def _generate(tool: Tool, arguments: dict[str, Any], channel: Channel[Item]) -> Outcome:
    items = _Items(tool)
    generator = tool.function(**arguments)
    try:
        while True:
            try:
                value = next(generator)
            except StopIteration as stop:
                if stop.value is not None:
                    items.take(Result(stop.value))
                return items.outcome()
            event = items.take(value)
            if event is not None:
                channel.put(event)
    finally:
        generator.close()


_CONTENT = encode({"content": True})
"""The metadata of an item that is content blocks of MCP, as of a result that is."""


class _Items:
    """What a generator yields, in order: items, then perhaps a `Result`, then nothing."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._count = 0
        self._result: Result[Any] | None = None

    def take(self, value: Any) -> Event | None:
        if self._result is not None:
            raise ToolFailed(f"The tool {self._tool.name} went on after its Result: Result is the last thing to yield.")
        if isinstance(value, Result):
            self._result = value
            return None
        self._count += 1
        return Event(
            EventType.PROGRESS, self._tool.encode_item(value), _CONTENT if self._tool.is_content_item(value) else b""
        )

    def outcome(self) -> Outcome:
        if self._result is None:
            return Outcome(b"null", items=self._count)
        return _outcome(self._tool, self._result.value)


def _outcome(tool: Tool, value: Any) -> Outcome:
    is_content = getattr(tool, "is_content", None)  # only a tool's result may be content: a prompt's is its messages
    return Outcome(tool.encode_result(value), content=bool(is_content and is_content(value)))


def _with_context(
    tool: Tool, arguments: dict[str, Any], caller: Caller, send: Send, wait: Wait | None = None
) -> dict[str, Any]:
    name = tool.signature.context
    return arguments if name is None else {**arguments, name: Context(send, caller, wait)}
