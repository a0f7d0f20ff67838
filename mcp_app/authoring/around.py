"""`@around`: a function around every call of every tool: an audit line, an error reporter, a check that refuses.

Nothing is called here (runs/wrapping.py does that), and there is no global registry: `@around` returns an `Around`,
which a server is given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from pydantic import ValidationError

from ..protocol.errors import InvalidParams, ToolDefinitionError
from ..protocol.problems import problems
from .caller import Caller
from .kind import Kind
from .source import where
from .tool import Tool


class Proceed(Protocol):
    """Runs the tool, with what is around it further in, and returns its result."""

    def __call__(self) -> Coroutine[Any, Any, Any]:
        """Await it, once. Raises what the tool raises; RuntimeError when it is called again."""


class Arguments(MutableMapping[str, Any]):
    """The validated arguments of a call, by the names of the function's parameters. Those that are set are validated.

    A change within a value is not noticed: set the parameter to a new one.
    """

    __slots__ = ("_names", "_tool", "_values")

    def __init__(self, tool: Tool, values: dict[str, Any]) -> None:
        """`values` are changed in place; those that are no parameters of callers are left alone."""
        self._tool = tool
        self._values = values
        self._names = [name for name, _ in tool.signature.keywords if name in values]

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Raises InvalidParams for a value that the parameter does not take, KeyError if there is no such parameter."""
        if name not in self._names:
            raise KeyError(f"{name}: the tool {self._tool.name} has the parameters {', '.join(self._names) or 'none'}")
        try:
            self._values[name] = _validated(self._tool, name, value)
        except ValidationError as error:
            found = problems(error)[0]
            raise InvalidParams(
                f"{name} of the tool {self._tool.name} cannot be set to this: {found['problem']}.",
                details=[{"field": name, "problem": found["problem"]}],
            ) from None

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError(f"{name} cannot be taken away from the tool {self._tool.name}: set it to another value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))


def _validated(tool: Tool, name: str, value: Any) -> Any:
    """The value of one argument. Raises ValidationError."""
    signature = tool.signature
    if signature.model_parameter is not None:  # which holds all of them
        return signature.validator.validate_python(value)
    model, attribute = signature.parameters.model_construct(), dict(signature.keywords)[name]
    signature.validator.validate_assignment(model, attribute, value)
    return getattr(model, attribute)


class Call:
    """One call of one tool, as those around it see it.

    `principal` is who calls; `dialect` is "plain" or "mcp", how it was called; `path` are the steps that lead to it,
    empty for the call of a client. Once the tool has ended, `code` is "complete" or the code of its error, `seconds` is
    how long it worked, and `events` how many it sent; before that `code` is None.
    """

    __slots__ = ("arguments", "code", "dialect", "events", "path", "principal", "seconds", "tool")

    def __init__(self, tool: Tool, arguments: MutableMapping[str, Any], caller: Caller) -> None:
        self.tool = tool
        self.arguments = arguments
        self.principal = caller.principal
        self.dialect = caller.dialect
        self.path = caller.path
        self.code: str | None = None
        self.seconds = 0.0
        self.events = 0

    def __repr__(self) -> str:
        return f"Call({self.tool.name}, code={self.code!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """A coroutine function that takes a `Call` and `proceed`. Calling the `Around` calls the function itself."""

    function: Callable[[Call, Proceed], Coroutine[Any, Any, Any]]
    name: str

    def __call__(self, call: Call, proceed: Proceed, /) -> Coroutine[Any, Any, Any]:
        return self.function(call, proceed)

    @property
    def where(self) -> str:
        """The function's name and line, for messages to its author."""
        return where(self.function, self.name)


def around(function: Callable[[Call, Proceed], Coroutine[Any, Any, Any]], /) -> Around:
    """Make a coroutine function run around every call of every tool of a server, in every dialect, tasks and calls of
    tools by tools included:

        @around
        async def audit(call: Call, proceed: Proceed) -> Any:
            result = await proceed()
            logger.info("%s called %s", call.principal, call.tool.name)
            return result

    What it returns is validated as the tool's result. `proceed` raises what the tool raises. ToolError raised here
    refuses the call or replaces its error; any other exception fails it, masked, like a tool's own. Without `proceed`
    the tool does not run.

    Raises ToolDefinitionError for what is no coroutine function of these two.
    """
    if isinstance(function, Around) or inspect.isclass(function) or not callable(function):
        raise ToolDefinitionError(f"{function!r} is not a function: @around goes on a function, once.")
    name = getattr(function, "__name__", type(function).__name__)
    kind = Kind.of(function)
    if kind is not Kind.COROUTINE:
        does = "yields" if kind.yields else "is a plain function"
        raise ToolDefinitionError(
            f"{where(function, name)}: @around goes on a coroutine function, and this one {does}. Write it with async "
            "def, and return the result; what blocks goes into `await asyncio.to_thread(…)`."
        )
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise ToolDefinitionError(
            f"{where(function, name)}: @around calls it with two arguments ({error}): write "
            f"`async def {name}(call, proceed)`."
        ) from None
    return Around(function, name)


Arounds = Iterable[Around]
"""In the order in which they are given; the first is outermost."""


def in_order(arounds: Arounds) -> tuple[Around, ...]:
    """Each once, where it stands first. Raises ToolDefinitionError for what is none."""
    found = tuple(dict.fromkeys(arounds))
    for each in found:
        if not isinstance(each, Around):
            raise ToolDefinitionError(f"{each!r} is not made by @around: decorate the function with it.")
    return found
