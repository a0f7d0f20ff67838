"""Tools: a typed function becomes a name, two JSON Schemas and a validated call.

Nothing is run here (kinds.py does that), and there is no global registry: `@tool` returns a `Tool`, and whoever serves
it puts it into a `Registry`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel, ValidationError

from .docstrings import describe
from .protocol.errors import InvalidParams, ToolDefinitionError, ToolFailed, UnknownTool
from .protocol.event import encode
from .protocol.plain import RESERVED, problems
from .signatures import Signature, implementation, read

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)  # what MCP asks of tool names (2025-11-25, Tools)


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """Yielded last by a generator: `value` is the result of the run. What was yielded before is progress.

    Whoever returns one returns its `value`.
    """

    value: T


class Kind(Enum):
    """The four kinds of function a tool can be."""

    COROUTINE = auto()
    ASYNC_GENERATOR = auto()
    FUNCTION = auto()
    GENERATOR = auto()

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Kind:
        function = implementation(function)
        if inspect.isasyncgenfunction(function):
            return cls.ASYNC_GENERATOR
        if inspect.iscoroutinefunction(function):
            return cls.COROUTINE
        return cls.GENERATOR if inspect.isgeneratorfunction(function) else cls.FUNCTION


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A function that callers can call. Calling it in Python calls the function itself."""

    name: str
    title: str
    description: str
    function: Callable[..., Any]
    kind: Kind
    signature: Signature = field(repr=False)
    input_schema: Mapping[str, Any] = field(repr=False)
    output_schema: Mapping[str, Any] | None = field(repr=False)
    read_only: bool
    destructive: bool
    idempotent: bool
    time_limit: float | None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The function's keyword arguments from JSON values, strictly: a number in a string is no number.

        Raises InvalidParams, its details naming each field and what is wrong with it.
        """
        try:
            model = self.signature.parameters.model_validate_json(encode(params), strict=True)
        except ValidationError as error:
            raise self._invalid(error) from None
        return self._keywords(model)

    def coerced(self, params: Mapping[str, Any], texts: Mapping[str, list[str]]) -> dict[str, Any]:
        """The same from a query: `texts` are turned into what the schema asks for, a repeated name into a list.

        Raises InvalidParams.
        """
        lists, choices = self.signature.lists, self.signature.choices
        values: dict[str, Any] = dict(params)
        for name, given in texts.items():
            meant = [choices[name].get(text, text) for text in given] if name in choices else given
            values[name] = meant if name in lists or len(given) > 1 else meant[0]
        try:
            model = self.signature.parameters.model_validate(values, strict=False)
        except ValidationError as error:
            raise self._invalid(error) from None
        return self._keywords(model)

    def encode_item(self, value: Any) -> bytes:
        """What the tool yields, validated against its declaration and encoded. Raises ToolFailed."""
        return self._encode(self.signature.item, value, "yielded")

    def encode_result(self, value: Any) -> bytes:
        """What the tool returns, validated against its declaration and encoded. Raises ToolFailed."""
        return self._encode(self.signature.result, value.value if isinstance(value, Result) else value, "returned")

    def _encode(self, adapter: Any, value: Any, did: str) -> bytes:
        try:
            if adapter is not None:  # by_alias: the names that the output schema has
                value = adapter.dump_python(adapter.validate_python(value), mode="json", by_alias=True)
            return encode(value)
        except ValidationError as error:
            found = problems(error)[0]
            what = f"{found['field'] or 'value'}: {found['problem']}"
            raise ToolFailed(f"The tool {self.name} {did} what it does not declare: {what}.") from error
        except ValueError as error:
            raise ToolFailed(f"The tool {self.name} {did} what cannot be sent as JSON: {error}.") from error

    def _keywords(self, model: BaseModel) -> dict[str, Any]:
        return {name: getattr(model, attribute) for name, attribute in self.signature.attributes.items()}

    def _invalid(self, error: ValidationError) -> InvalidParams:
        details = problems(error, "params.")
        return InvalidParams(f"{details[0]['field']}: {details[0]['problem']}.", details=details)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool = True,
    idempotent: bool = False,
    time_limit: float | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function: a coroutine, an async generator, a plain function or a generator.

    name: how callers call it; the function's name by default.
    title: for people; made from the name by default.
    description: for people and models; the docstring by default.
    read_only: it changes nothing, so that it may be started by GET (RFC 9110, 9.2.1).
    destructive, idempotent: hints for callers about a tool that does change something.
    time_limit: seconds after which a call of it is ended; the server's cap holds all the same.

    Raises ToolDefinitionError naming the function, the parameter and what to do.
    """
    frame = sys._getframe(1)
    scope = _Scope(frame.f_locals, frame.f_globals)
    if function is not None:
        return _make(function, scope)
    return lambda decorated: _make(decorated, scope, **options)


class _Scope(typing.NamedTuple):
    """Where `@tool` was written: an annotation as a string may name what is local there."""

    names: Mapping[str, Any]
    module: Mapping[str, Any]

    def of(self, function: Callable[..., Any]) -> Mapping[str, Any]:
        """The local names, unless the function was defined in another module: there they mean something else."""
        defined_in = getattr(inspect.unwrap(implementation(function)), "__globals__", None)
        return self.names if defined_in is self.module else {}


def _make(
    function: Callable[..., Any],
    scope: _Scope,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool = True,
    idempotent: bool = False,
    time_limit: float | None = None,
) -> Tool:
    if isinstance(function, Tool) or inspect.isclass(function) or not callable(function):
        raise ToolDefinitionError(f"{function!r} is not a function: @tool goes on a function, once.")
    name = str(name or getattr(function, "__name__", ""))
    if not _NAME.fullmatch(name):
        raise ToolDefinitionError(f"{name!r} is no name for a tool: 1 to 128 characters of A-Z, a-z, 0-9, _, - and .")
    if time_limit is not None and not (isinstance(time_limit, int | float) and 0 < time_limit < float("inf")):
        raise ToolDefinitionError(f"{name}: time_limit is {time_limit!r}, not a positive number of seconds.")
    documented, parameters = describe(_docstring(function))
    kind = Kind.of(function)
    signature = read(
        function,
        scope.of(function),
        parameters,
        result_marker=Result,
        generates=kind in {Kind.ASYNC_GENERATOR, Kind.GENERATOR},
    )
    if read_only and (reserved := RESERVED & signature.attributes.keys()):
        raise ToolDefinitionError(
            f"{name}: a read-only tool cannot have a parameter named {sorted(reserved)[0]}: "
            "that name has a meaning in the query of a GET. Rename it."
        )
    return Tool(
        name=name,
        title=title or name.replace("_", " ").replace("-", " ").strip().capitalize(),
        description=description if description is not None else documented,
        function=function,
        kind=kind,
        signature=signature,
        input_schema=signature.input_schema,
        output_schema=signature.output_schema,
        read_only=read_only,
        destructive=destructive and not read_only,
        idempotent=idempotent or read_only,
        time_limit=time_limit,
    )


class Registry:
    """The tools that one server offers, by name, in the order in which they were given."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.add(each)

    def add(self, new: Tool) -> None:
        """Offer one more tool. Raises ToolDefinitionError when it is no tool, or its name is taken."""
        if not isinstance(new, Tool):
            raise ToolDefinitionError(f"{new!r} is not a tool: decorate the function with @tool.")
        if new.name in self._tools:
            raise ToolDefinitionError(
                f"Two tools are named {new.name}: {_where(self._tools[new.name])} and {_where(new)}. "
                "Give one of them another name, with @tool(name=…)."
            )
        self._tools[new.name] = new

    def get(self, name: str) -> Tool:
        """The tool of that name. Raises UnknownTool, with the nearest names as its hint."""
        try:
            return self._tools[name]
        except KeyError:
            pass
        near = difflib.get_close_matches(name[:128], self._tools, n=3)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise UnknownTool(f"There is no tool named {name[:128]!r}.", hint=hint + UnknownTool.hint)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def _docstring(function: Callable[..., Any]) -> str | None:
    """The function's own: not that of `functools.partial`, and a class's only if its `__call__` has none."""
    return implementation(function).__doc__ or (None if isinstance(function, functools.partial) else function.__doc__)


def _where(known: Tool) -> str:
    function = typing.cast(Any, inspect.unwrap(known.function))
    code = getattr(function, "__code__", None)
    place = f" (line {code.co_firstlineno})" if code is not None else ""
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', known.name)}{place}"
