"""Prompts: a typed function that returns messages, which a user selects for a model (MCP 2026-07-28, Prompts).

Nothing is run here (runs/execution.py does that), and there is no global registry. No wire format is known except MCP's
prompt types.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, overload

from pydantic_core import CoreSchema, core_schema

from ..protocol.access import Access
from ..protocol.errors import RequestError, ToolDefinitionError, ToolFailed
from ..protocol.event import encode
from .callables import Decorated
from .catalogue import Catalogue
from .content import Content, Role, Text, present
from .dependencies import Plan
from .kind import Encoded, Kind
from .metadata import Icon, Metadata
from .permitted import scopes_of
from .result import Result
from .signature import Signature
from .source import check_sendable, title_of
from .typed_function import TypedFunction, typed_function

_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,126}[^\s\x00-\x1f\x7f])?")

_QUOTED_CHARS = 128  # characters of an unknown name that are repeated in a message


class UnknownPrompt(RequestError):
    """There is no prompt with that name (MCP, Prompts, Error Handling)."""

    code = "unknown_prompt"
    status = 404
    hint = "prompts/list names every prompt with its arguments."


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the user or the assistant: text, content, or a list of both, each a message of its own in MCP.

    Raises ValueError for another role or other content.
    """

    role: Role
    content: str | Content | Sequence[str | Content]

    def __post_init__(self) -> None:
        if self.role not in typing.get_args(Role):
            raise ValueError(f'{self.role!r} is no role: "user" or "assistant"')
        if invalid := [item for item in self._items() if not isinstance(item, str | Content)]:
            raise ValueError(f"a message holds str and content, not {type(invalid[0]).__name__}")

    def wire(self) -> list[dict[str, Any]]:
        """As MCP messages, one for each piece of content."""
        pieces = [Text(item) if isinstance(item, str) else item for item in self._items()]
        return [{"role": self.role, "content": piece.block()} for piece in pieces]

    def _items(self) -> Sequence[Any]:
        return self.content if isinstance(self.content, list | tuple) else [self.content]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """For annotations like `-> list[Message]`: validated by class, serialised as MCP messages."""
        messages = core_schema.plain_serializer_function_ser_schema(
            lambda message: message.wire(), return_schema=core_schema.list_schema()
        )
        return core_schema.is_instance_schema(cls, serialization=messages)


@dataclass(frozen=True, slots=True, eq=False)
class Prompt(Decorated):
    """A function that creates messages from its arguments. Calling the prompt calls the function itself."""

    name: str
    title: str
    description: str
    metadata: Metadata = field(repr=False)
    scopes: frozenset[str]
    hidden: bool
    typed: TypedFunction = field(repr=False)
    time_limit: ClassVar[float | None] = None
    linkable: ClassVar[bool] = False
    at_once: ClassVar[None] = None
    noun: ClassVar[Literal["prompt"]] = "prompt"
    encode_item: ClassVar[None] = None
    """None: the function returns, it does not yield."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.typed.function(*args, **kwargs)

    @property
    def key(self) -> str:
        return self.name

    @property
    def where(self) -> str:
        return self.typed.where

    @property
    def kind(self) -> Kind:
        return self.typed.kind

    @property
    def function(self) -> Callable[..., Any]:
        return self.typed.function

    @property
    def signature(self) -> Signature:
        return self.typed.signature

    @property
    def context(self) -> str | None:
        return self.signature.context

    @property
    def plan(self) -> Plan | None:
        return self.signature.plan

    def wire(self) -> dict[str, Any]:
        """As in `prompts/list`."""
        required = self.typed.required
        arguments = [
            present(
                name=name,
                title=schema.get("title"),
                description=schema.get("description"),
                required=name in required,
            )
            for name, schema in self.typed.parameters.items()
        ]
        return present(
            name=self.name,
            title=self.title,
            description=self.description or None,
            arguments=arguments or None,
        )

    def arguments(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """The function's keyword arguments from MCP's strings. Raises InvalidParams naming each invalid one."""
        return self.typed.arguments(texts, hint="prompts/list names the arguments of every prompt.", called="arguments")

    def encode_result(self, value: Any) -> Encoded:
        """The return value as `{"description": …, "messages": […]}`. Raises ToolFailed if it is not messages."""
        items = value if isinstance(value, list | tuple) else [value]
        messages = [message for item in items for message in self._message(item).wire()]
        try:
            return Encoded(encode(present(description=self.description or None, messages=messages)))
        except ValueError as error:
            raise ToolFailed(f"The prompt {self.name} returned what cannot be sent as JSON: {error}.") from error

    def _message(self, item: Any) -> Message:
        if isinstance(item, Message):
            return item
        if isinstance(item, str | Content):
            return Message("user", item)
        if isinstance(item, Result):
            raise ToolFailed(f"The prompt {self.name} returned a Result, which only tools give: return what is in it.")
        raise ToolFailed(
            f"The prompt {self.name} returned {type(item).__name__}: return str, content, Message, or a list of these."
        )


@overload
def prompt(function: Callable[..., Any], /) -> Prompt: ...
@overload
def prompt(
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    icons: Iterable[Icon] = (),
    meta: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    scopes: Iterable[str] = (),
    hidden: bool = False,
) -> Callable[[Callable[..., Any]], Prompt]: ...
def prompt(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    icons: Iterable[Icon] = (),
    meta: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    scopes: Iterable[str] = (),
    hidden: bool = False,
) -> Prompt | Callable[[Callable[..., Any]], Prompt]:
    """Make a prompt of a typed function that returns text, content, a `Message` or a list of these.

    Its parameters are the prompt's arguments. MCP sends them as strings; each is converted to the type of its
    parameter, lists, dicts and models from JSON.

    name: for programs; the function's name by default. title: for people; derived from the name by default.
    description: for people and models; the docstring by default.
    icons, meta, tags: for clients: pictures, further members of `_meta`, and words to sort prompts by.
    scopes: what a caller needs to get it, all of them. hidden: it is in no list, and got by who knows its name.

    Raises ToolDefinitionError naming the function, the parameter and what to do.
    """

    def make(decorated: Callable[..., Any], depth: int) -> Prompt:
        typed = typed_function(decorated, "prompt", name, depth=depth)
        if not _NAME.fullmatch(typed.name):
            raise ToolDefinitionError(f"{typed.where}: {typed.name!r} is no name for a prompt: 1 to 128 characters.")
        made = Prompt(
            name=typed.name,
            title=title or title_of(typed.name),
            description=description if description is not None else typed.description,
            metadata=Metadata.of(typed.where, icons, meta, tags),
            scopes=scopes_of(typed.where, scopes),
            hidden=hidden,
            typed=typed,
        )
        check_sendable(typed.where, made.wire())
        return made

    return make(function, 2) if function is not None else lambda decorated: make(decorated, 2)


class Prompts(Catalogue[Prompt]):
    """The prompts of one server, by name, in the order of their addition."""

    def __init__(self, prompts: Iterable[Prompt] = ()) -> None:
        super().__init__(Prompt, prompts, noun="prompt", decorator="@prompt", key="name", remedy="@prompt(name=…)")

    def get(self, name: str, access: Access) -> Prompt:
        """The prompt with that name, for this caller. Raises UnknownPrompt, with similar names in its hint, and
        InsufficientScope for a prompt that the caller is shown and needs more scopes for."""
        found = self.usable(name, access)
        if found is None:
            similar = self.suggestion(name, access)
            raise UnknownPrompt(f"There is no prompt named {name[:_QUOTED_CHARS]!r}.", suggestion=similar)
        return found
