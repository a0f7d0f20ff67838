"""A tool as code in this process calls it: its result stays a value of Python's, and is validated all the same.

It is run like any callee. Nothing is called or sent here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Literal

from ..authoring.at_once import AtOnce
from ..authoring.dependencies import Plan
from ..authoring.kind import Encoded, Kind
from ..authoring.result import Result
from ..authoring.tool import Tool
from ..authoring.tool_results import declared_value
from ..protocol.errors import ToolFailed
from ..protocol.event import decode, encode
from ..protocol.linked import MAX_RESULT_BYTES, too_large

_NOTHING = Encoded(b"null")


class CalledTool:
    """`value` is the result once the tool has ended; `items` are what it yielded, to 16 MiB of JSON: the bound of a
    lazy value that is read. `collects`: somebody wants these. `sent` is the result as it is sent; of what another
    process encoded `value` is only what JSON says."""

    __slots__ = ("_bytes", "collects", "items", "sent", "tool", "value")

    linkable = False
    """Nothing of its own is sent: there is nothing to link to."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.value: Any = None
        self.sent: Encoded | None = None
        self.collects = True
        self.items: list[Any] = []
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
        if encode_item is None:
            return None

        def encode(value: Any) -> Encoded:
            encoded = encode_item(value)
            self._bytes += len(encoded.data)
            if self._bytes > MAX_RESULT_BYTES:
                raise too_large(f"What the tool {self.name} yields for another", self._bytes, MAX_RESULT_BYTES)
            self._keep(value, encoded)
            return encoded

        return encode

    def _keep(self, value: Any, encoded: Encoded) -> None:
        self.items.append(declared_value(self.name, "yielded", self.tool.signature.item, value))

    def returned(self, items: int | None) -> Any:
        """What whoever called gets, once the tool has ended: its result, or its `items` if it has none."""
        return self.value if items is None else self.items

    def encode_result(self, value: Any) -> Encoded:
        """Keep the value, or the data of a `Result`, as it is declared. Raises ToolFailed for what could not be sent to
        a client either."""
        self.sent = self.tool.encode_result(value)
        data = value.data if isinstance(value, Result) else value
        self.value = declared_value(self.name, "returned", self.tool.signature.result, data)
        return _NOTHING

    def take(self, sent: Encoded) -> None:
        """The result that another process has validated, as the declared type makes it of JSON; blocks of content as
        they are."""
        self.sent, self.value = sent, decode(sent.data)
        if not sent.content:
            with contextlib.suppress(ToolFailed):  # what is not made of its own JSON
                self.value = declared_value(self.name, "returned", self.tool.signature.result, self.value)

    def take_items(self, items: list[Any]) -> None:
        """What another process yielded, which has been sent. Raises as `encode_item` does."""
        if (encode_item := self.encode_item) is not None:
            for item in items:
                encode_item(item)


class SentTool(CalledTool):
    """The same for a function in another process: what it gets is kept as JSON."""

    __slots__ = ("_parts",)

    def __init__(self, tool: Tool) -> None:
        super().__init__(tool)
        self._parts: list[bytes] = []

    def _keep(self, value: Any, encoded: Encoded) -> None:
        declared_value(self.name, "yielded", self.tool.signature.item, value)
        self._parts.append(encoded.data)

    def returned(self, items: int | None) -> bytes:
        """An object: `value`, which is a list of items if `items` is set, and blocks of content if `content` is."""
        if items is not None:
            return b'{"content":false,"items":true,"value":[%b]}' % b",".join(self._parts)
        assert self.sent is not None  # noqa: S101 - the tool has ended
        return b'{"content":%b,"items":false,"value":%b}' % (encode(self.sent.content), self.sent.data)


class WrappedTool(CalledTool):
    """The same for the functions around a tool: `value` may be a `Result`, as they return what becomes of it. `items`
    are sent, and kept by whoever called."""

    __slots__ = ("_encode_item",)

    def __init__(self, tool: Tool, encode_item: Callable[[Any], Encoded] | None, *, collects: bool) -> None:
        super().__init__(tool)
        self.collects = collects
        self._encode_item = encode_item

    @property
    def encode_item(self) -> Callable[[Any], Encoded] | None:
        return self._encode_item

    def encode_result(self, value: Any) -> Encoded:
        """Keep the value as it is declared; it is encoded when it has come out of them."""
        self.value = self.declared(value)
        return _NOTHING

    def declared(self, value: Any) -> Any:
        """The value as it is declared; in a `Result` if there is anything beside it. Raises ToolFailed."""
        if isinstance(value, Result):
            data = self.declared(value.data)
            if value.text is None and not value.content and value.meta is None:
                return data
            return Result(data, text=value.text, content=value.content, meta=value.meta)
        return declared_value(self.name, "returned", self.tool.signature.result, value)
