"""The tools that a tool in a worker calls: the server calls them, as steps of the run, and results are read here.

How deep and how many, and what they send, is the server's to know.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..authoring.caller import Caller
from ..authoring.declared_type import DeclaredType
from ..authoring.parts import Part
from ..authoring.sent_params import sent_params
from ..authoring.tool import Tool
from ..authoring.tool_results import declared_value
from ..protocol.errors import ToolFailed
from ..protocol.event import NotJson
from ..protocol.relay import KeptThere, relayed
from ..runs.calling import Calling, not_json
from ..runs.dialogue import Dialogue
from ..runs.failure import raised_here


class CallsThere(Calling):
    """What one call's function calls. `label` names its run in the log, `name` is its tool."""

    __slots__ = ("_dialogue",)

    def __init__(self, dialogue: Dialogue, label: str, name: str) -> None:
        super().__init__(label, name)
        self._dialogue = dialogue

    async def _called(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        return _read(other, await self._result(caller, other, params, part, lent=isinstance(other, Tool)))

    async def _called_json(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        return (await self._result(caller, other, params, part, lent=False)).value

    def tools(self, caller: Caller) -> Mapping[str, Tool]:
        raise ToolFailed(
            'ctx.tools cannot be used with placement="process": the server alone knows its tools. Write that tool '
            "without a placement."
        )

    async def _result(
        self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part, *, lent: bool
    ) -> _Sent:
        """`lent`: that very tool, whatever scopes the caller has."""
        task = self._task(caller)
        self._tasks.add(task)
        try:
            return _sent(await self._answer(caller, other, params, part, lent=lent))
        finally:
            self._tasks.discard(task)

    async def _answer(
        self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part, *, lent: bool
    ) -> Any:
        name, schema = (other, None) if isinstance(other, str) else (other.name, other.digest)
        share = [part.gauge is not None, part.start, part.end, *part.path]
        try:
            call = {"tool": name, "schema": schema, "lent": lent, "params": sent_params(params), "part": share}
        except NotJson as error:
            raise not_json(name, error) from None
        [waiting] = self._dialogue.begin([("call", call)])
        try:
            return await asyncio.shield(waiting)
        except KeptThere:
            raise RuntimeError("the server could not do what was asked: its log says why") from None
        except asyncio.CancelledError:
            if caller.reason is None:  # else the server has cancelled all of it
                await self._dialogue.withdraw(waiting)
            raise


class _Sent(NamedTuple):
    """What the server has sent of a result: JSON, whether it is blocks of content, whether it is a list of items."""

    value: Any
    content: bool
    items: bool


def _sent(answer: Any) -> _Sent:
    """The answer as what it is. Raises what the tool, or its call, has raised there."""
    match answer:
        case {"error": dict(error), "beside": dict(beside)}:
            raise raised_here(relayed(error, beside))
        case {"value": value, "content": bool(content), "items": bool(items)}:
            return _Sent(value, content, items)
        case _:
            raise RuntimeError("an answer of the server that is none")


def _read(other: Tool | str, sent: _Sent) -> Any:
    """Python's value of what the server has sent."""
    if isinstance(other, str) or sent.content:
        return sent.value
    signature = other.signature
    if not sent.items:
        return _declared(other.name, "returned", signature.result, sent.value)
    return [_declared(other.name, "yielded", signature.item, each) for each in sent.value]


def _declared(name: str, did: str, declared: DeclaredType | None, value: Any) -> Any:
    """As the declared type makes it of JSON; what is not made of its own JSON stays what JSON says."""
    with contextlib.suppress(ToolFailed):
        return declared_value(name, did, declared, value)
    return value
