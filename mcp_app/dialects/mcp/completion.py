"""`completion/complete`: suggests values for an argument of a prompt or resource template.

The values come from the argument's type, or from the function of `Annotated[str, complete(function)]` (MCP 2026-07-28,
Completion). The caller looks up the prompt or template.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from typing import Any

from ...authoring.completion import Complete, Values, completion_of
from ...authoring.dependencies import Plan
from ...authoring.lazy import lazy
from ...authoring.signature import Signature
from ...protocol.errors import InvalidParams, McpAppError, TimeCap, ToolFailed
from ...protocol.event import MAX_EVENT_BYTES, encode, sendable_text
from ...protocol.json_schema import allowed, alternatives
from ...protocol.payer import NOBODY, Payer
from ...runs.channel import Channel
from ...runs.dependencies import Dependencies
from ...runs.failure import public_error
from ...runs.fair_places import PAYER
from ...runs.kept_thread import KeptThread
from ...runs.threads import Threads

MAX_VALUES = 100
"""Values in one result (MCP, Completion Results)."""

MAX_COUNTED = 10_000
"""Values that are read from a function at most: its iterator may be infinite."""


THREADS = 8
"""For plain functions that complete, beside those of tools: a completion that hangs takes no tool's thread. People type
in few windows at once."""


class Completions:
    """Completes arguments, within `seconds` each, by functions that may have `dependencies`."""

    def __init__(self, seconds: float, dependencies: Dependencies) -> None:
        self._seconds = seconds
        self._dependencies = dependencies
        self._threads = Threads(THREADS)

    async def complete(
        self,
        signature: Signature,
        argument: str,
        prefix: str,
        context: Mapping[str, str],
        payer: Payer = NOBODY,
    ) -> dict[str, Any]:
        """As `completion`, but whatever the function raises is a ToolFailed with an id, under which the log has it.
        `payer`: whose turns and places the function has.

        A ToolError is the author's word and stays as it is. Raises InvalidParams if there is no such argument, TimeCap
        and NoThread, too.
        """
        _check_argument(signature, argument)
        # A task of its own: a GeneratorExit would close every coroutine around it, and who swallows the cancellation
        # is not waited for.
        task = asyncio.create_task(
            self._outcome(signature, argument, prefix, context, payer), name=f"completing {argument}"
        )
        try:
            done, _ = await asyncio.wait({task}, timeout=self._seconds)
        finally:
            task.cancel()
        if not done:
            raise TimeCap(f"The completion reached the cap of {self._seconds:g} seconds and was ended.")
        outcome = task.result()
        if isinstance(outcome, McpAppError):
            raise outcome
        return outcome

    async def _outcome(
        self, signature: Signature, argument: str, prefix: str, context: Mapping[str, str], payer: Payer
    ) -> dict[str, Any] | McpAppError:
        PAYER.set(payer)  # of this task alone
        try:
            return await completion(signature, argument, prefix, context, self._threads, self._dependencies)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            return public_error(error, "The completion", f"the completion of {argument}", MAX_EVENT_BYTES // 2)


def _is_being_cancelled() -> bool:
    """Whether this task is cancelled, and not the author's function that raised CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def completion(
    signature: Signature,
    argument: str,
    prefix: str,
    context: Mapping[str, str],
    threads: Threads,
    dependencies: Dependencies,
) -> dict[str, Any]:
    """MCP's `completion` object: at most `MAX_VALUES` values, `total` if it is known, and `hasMore`.

    `context` are the values that have been chosen for other arguments.

    Raises ToolFailed if the argument's function returns anything but strings, and whatever else the function raises.
    """
    complete = completion_of(signature, argument)
    if complete is None:
        values: list[str] = [each for each in _values_of_type(signature, argument) if _has_prefix(each, prefix)]
    elif complete.plan is None:
        values = await _call(complete, prefix, context, threads)
    else:
        values = await _call_supplied(complete, complete.plan, prefix, context, threads, dependencies)
    return _completion_object(values)


def _check_argument(signature: Signature, argument: str) -> None:
    if argument not in signature.attributes:
        raise InvalidParams(
            f"There is no argument named {argument[:128]!r}. The arguments are: {', '.join(signature.attributes)}."
            if signature.attributes
            else f"There is no argument named {argument[:128]!r}: there are none.",
            hint="",
            details=[{"field": "argument.name", "problem": "There is no argument of this name"}],
        )


def _completion_object(values: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"values": values[:MAX_VALUES]}
    if len(values) <= MAX_COUNTED:
        fields["total"] = len(values)
    return {**fields, "hasMore": len(values) > MAX_VALUES}


def _has_prefix(value: str, prefix: str) -> bool:
    return value.casefold().startswith(prefix.casefold())


# --- by the type -----------------------------------------------------------------------------------------------------


def _values_of_type(signature: Signature, argument: str) -> list[str]:
    """The values of an enumerated type, in order of definition; none for other types."""
    schema = signature.input_schema
    return list(dict.fromkeys(_enumerated(schema["properties"][argument], schema)))


def _enumerated(parameter: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    for each in alternatives(parameter, root):
        for item in [each, *alternatives(each.get("items", {}), root)]:
            values = allowed(item) or ((True, False) if item.get("type") == "boolean" else ())
            yield from (value if isinstance(value, str) else encode(value).decode() for value in values)


# --- by the author's function ----------------------------------------------------------------------------------------


async def _call_supplied(
    complete: Complete,
    plan: Plan,
    prefix: str,
    chosen: Mapping[str, str],
    threads: Threads,
    dependencies: Dependencies,
) -> list[str]:
    supply = dependencies.supply(plan)
    try:
        made = await supply.take(_name(complete), threads, plain=not _is_async(complete))
        return await _call(complete, prefix, chosen, supply.thread(threads), made)
    except BaseException as error:
        supply.failed(error)
        raise
    finally:
        supply.close(succeeded=True)


_NOTHING: Mapping[str, Any] = {}


async def _call(
    complete: Complete,
    prefix: str,
    chosen: Mapping[str, str],
    threads: Threads | KeptThread,
    made: Mapping[str, Any] = _NOTHING,
) -> list[str]:
    if _is_async(complete):
        values = await typing.cast(Awaitable[Values], complete.function(prefix, chosen, **made))
        kind = lazy(values)
        if kind is not None:
            raise ToolFailed(
                f"A completion that is async returned a {kind.__name__}, which would work on the event loop: "
                "return a list."
            )
        return _checked(values)
    unused: Channel[None] = Channel(asyncio.get_running_loop(), lambda _: 0)
    call = functools.partial(complete.function, prefix, chosen, **made)
    async with threads.run(lambda _: _call_in_thread(call), unused, name=_name(complete)) as outcome:
        return await outcome


def _is_async(complete: Complete) -> bool:
    function = complete.function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _name(complete: Complete) -> str:
    return f"the completion by {getattr(complete.function, '__qualname__', complete.function)}"


def _call_in_thread(call: Callable[[], Any]) -> list[str]:
    values = call()
    if inspect.isawaitable(values):
        if inspect.iscoroutine(values):
            values.close()
        raise ToolFailed("A completion returned what has to be awaited: declare it with async def.")
    return _checked(values)


def _checked(values: Values) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ToolFailed(f"A completion returned {type(values).__name__}, not several str.")
    found = list(islice(values, MAX_COUNTED + 1))
    if wrong := [each for each in found if not isinstance(each, str)]:
        raise ToolFailed(f"A completion returned a value of type {type(wrong[0]).__name__}, not str.")
    texts = [each.value if isinstance(each, Enum) else each for each in found]
    if any(sendable_text(each) != each for each in texts):
        raise ToolFailed("A completion returned a text with half of a surrogate pair, which cannot be sent as JSON.")
    return texts
