"""Answers `completion/complete`: the values that an argument of a prompt or of a resource template may have.

By the argument's type, or by the function of an `Annotated[str, complete(function)]` (MCP 2026-07-28, Completion).
Which prompt or template is meant is looked up by the caller, and so is how long all this may take: a function that
hangs is cancelled by it.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from typing import Any

from ...authoring.completion import Complete, Function, Values
from ...authoring.signature import Signature
from ...protocol.errors import InvalidParams, ToolFailed
from ...protocol.event import encode
from ...protocol.json_schema import alternatives
from ...runs.threads import Channel, Threads

MAX_VALUES = 100
"""Values of one answer (MCP, Completion Results)."""

MAX_COUNTED = 10_000
"""Values of a function that are taken before nobody counts further: it may go on for ever."""


async def completion(
    signature: Signature, argument: str, prefix: str, chosen: Mapping[str, str], threads: Threads
) -> dict[str, Any]:
    """The `completion` object of MCP: at most `MAX_VALUES` values, `total` while it is known, and `hasMore`.

    Raises InvalidParams when there is no such argument, ToolFailed when its function does not return text; whatever
    else the function raises passes through.
    """
    if argument not in signature.attributes:
        raise InvalidParams(
            f"There is no argument named {argument[:128]!r}.",
            hint=f"The arguments are: {', '.join(signature.attributes) or 'none'}.",
            details=[{"field": "argument.name", "problem": "There is no argument of this name"}],
        )
    by_author = _complete(signature, argument)
    if by_author is None:
        values: list[str] = [each for each in _of_type(signature, argument) if _starts(each, prefix)]
    else:
        values = await _called(by_author.function, prefix, chosen, threads)
    return _rendered(values)


def _rendered(values: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"values": values[:MAX_VALUES]}
    if len(values) <= MAX_COUNTED:
        shown["total"] = len(values)
    return {**shown, "hasMore": len(values) > MAX_VALUES}


def _starts(value: str, prefix: str) -> bool:
    return value.casefold().startswith(prefix.casefold())


# --- by the type -----------------------------------------------------------------------------------------------------


def _of_type(signature: Signature, argument: str) -> list[str]:
    """The few values that the type has, in their order; none when it has any."""
    schema = signature.input_schema
    return list(dict.fromkeys(_written(schema["properties"][argument], schema)))


def _written(parameter: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    for each in alternatives(parameter, root):
        for item in [each, *alternatives(each.get("items", {}), root)]:
            allowed = [item["const"]] if "const" in item else item.get("enum", ())
            if item.get("type") == "boolean" and not allowed:
                allowed = (True, False)
            yield from (value if isinstance(value, str) else encode(value).decode() for value in allowed)


# --- by the author's function ----------------------------------------------------------------------------------------


def _complete(signature: Signature, argument: str) -> Complete | None:
    info = signature.parameters.model_fields[signature.attributes[argument]]
    return next((each for each in [*info.metadata, *_metadata(info.annotation)] if isinstance(each, Complete)), None)


def _metadata(annotation: Any) -> Iterator[Any]:
    """What `Annotated` says anywhere within: in `Annotated[str, …] | None` as well."""
    yield from getattr(annotation, "__metadata__", ())
    for argument in typing.get_args(annotation):
        yield from _metadata(argument)


async def _called(function: Function, prefix: str, chosen: Mapping[str, str], threads: Threads) -> list[str]:
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return _taken(await typing.cast(Awaitable[Values], function(prefix, chosen)))
    nothing: Channel[None] = Channel(asyncio.get_running_loop(), lambda _: 0)
    async with threads.run(lambda _: _in_thread(function, prefix, chosen), nothing) as outcome:
        return await outcome


def _in_thread(function: Function, prefix: str, chosen: Mapping[str, str]) -> list[str]:
    values = function(prefix, chosen)
    if inspect.isawaitable(values):
        if inspect.iscoroutine(values):
            values.close()
        raise ToolFailed("A completion returned what has to be awaited: declare it with async def.")
    return _taken(values)


def _taken(values: Values) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ToolFailed(f"A completion returned {type(values).__name__}, not several str.")
    taken = list(islice(values, MAX_COUNTED + 1))
    if wrong := [each for each in taken if not isinstance(each, str)]:
        raise ToolFailed(f"A completion returned a value of type {type(wrong[0]).__name__}, not str.")
    return [each.value if isinstance(each, Enum) else each for each in taken]
