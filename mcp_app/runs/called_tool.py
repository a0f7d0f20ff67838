"""A tool as code in this process calls it: its result stays a value of Python's, and is validated all the same.

It is run like any callee. Nothing is called or sent here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ..authoring.at_once import AtOnce
from ..authoring.dependencies import Plan
from ..authoring.kind import Encoded, Kind
from ..authoring.result import Result
from ..authoring.tool import Tool
from ..protocol.linked import MAX_RESULT_BYTES, too_large

_NOTHING = Encoded(b"null")


class CalledTool:
    """`value` is the result once the tool has ended; `items` are what it yielded.

    With `keep_items` these are kept, to 16 MiB of JSON: the bound of a lazy value that is read.
    """

    __slots__ = ("_bytes", "_keep_items", "items", "tool", "value")

    linkable = False
    """Nothing of its own is sent: there is nothing to link to."""

    def __init__(self, tool: Tool, *, keep_items: bool) -> None:
        self.tool = tool
        self.value: Any = None
        self.items: list[Any] = []
        self._keep_items = keep_items
        self._bytes = 0

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def noun(self) -> Literal["tool"]:
        return self.tool.noun

    @property
    def kind(self) -> Kind:
        return self.tool.kind

    @property
    def function(self) -> Callable[..., Any]:
        return self.tool.function

    @property
    def context(self) -> str | None:
        return self.tool.context

    @property
    def plan(self) -> Plan | None:
        return self.tool.plan

    @property
    def time_limit(self) -> float | None:
        return self.tool.time_limit

    @property
    def at_once(self) -> AtOnce | None:
        return self.tool.at_once

    @property
    def encode_item(self) -> Callable[[Any], Encoded] | None:
        encode_item = self.tool.encode_item
        if encode_item is None or not self._keep_items:
            return encode_item

        def encode(value: Any) -> Encoded:
            encoded = encode_item(value)
            self._bytes += len(encoded.data)
            if self._bytes > MAX_RESULT_BYTES:
                raise too_large(f"What the tool {self.name} yields for another", self._bytes, MAX_RESULT_BYTES)
            declared = self.tool.signature.item
            self.items.append(value if encoded.content or declared is None else declared.validated(value))
            return encoded

        return encode

    def encode_result(self, value: Any) -> Encoded:
        """Keep the value, or the data of a `Result`, as it is declared. Raises ToolFailed for what could not be sent to
        a client either."""
        content = self.tool.encode_result(value).content
        if isinstance(value, Result):
            value = value.data
        declared = self.tool.signature.result
        self.value = value if content or declared is None else declared.validated(value)
        return _NOTHING
