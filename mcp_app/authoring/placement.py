"""Where a tool works if its author says so: in a process, which imports its module again and finds it there by name.

A process is given no function, only where to find it. So a tool is refused that could not be found: one of `__main__`,
of a closure; and, in findable.py, one without a name in its module. Nothing is run here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from pydantic import ValidationError

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import NotJson, encode
from .callables import place
from .kind import FailedArguments
from .signature import Signature, Validated

Placement = Literal["process"]
"""What an author may choose. Else the kind of the function decides: a coroutine works on the event loop, a plain
function in a thread."""


class Origin(NamedTuple):
    """Where another process finds a tool: the module that made it, and its file.

    `source` and `schema` are digests of the file and of what is listed of the tool: the other process compares its own.
    """

    module: str
    file: str
    source: str
    schema: str


class SentArguments(dict[str, Any]):
    """Keyword arguments that were validated here, and what the caller sent, of which another process makes its own."""

    __slots__ = ("_changed", "_params", "_texts")

    def __init__(self, arguments: Mapping[str, Any], params: Mapping[str, Any], texts: Mapping[str, list[str]]) -> None:
        super().__init__(arguments)
        self._params = params
        self._texts = texts
        self._changed: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        """By a function around the call: the other process gets the new value."""
        super().__setitem__(name, value)
        self._changed.add(name)

    def to_send(self, signature: Signature) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """What the other process makes the arguments of, as JSON: values, and texts of a query.

        Raises NotJson, also for a value of which the other process would make another one: a secret is written as
        asterisks, and a validator may change what it has made.
        """
        params, texts = dict(self._params), dict(self._texts)
        for name in self._changed:
            written = signature.written(name, self[name])
            if name == signature.model_parameter:
                params, texts = written, {}
            else:
                params.update(written)
                texts = {called: items for called, items in texts.items() if called not in written}
        if self._changed:
            self._check(signature, params, texts)
        return params, texts

    def _check(self, signature: Signature, params: Mapping[str, Any], texts: Mapping[str, list[str]]) -> None:
        try:
            made = signature.from_query(params, texts, strict=False).arguments
            wrong = [name for name in self._changed if name not in made or made[name] != self[name]]
        except ValidationError:
            wrong = sorted(self._changed)
        if wrong:
            raise NotJson(f"another process would not get {', '.join(wrong)} as a function around the call has set it")


def sent(
    validated: Validated, params: Mapping[str, Any], texts: Mapping[str, list[str]] = MappingProxyType({})
) -> Validated:
    """The same, with what the caller sent. What a validator raised needs no process to be raised in."""
    if type(validated.arguments) is FailedArguments:
        return validated
    return validated._replace(arguments=SentArguments(validated.arguments, params, texts))


def origin_of(
    name: str,
    placement: Placement | None,
    function: Callable[..., Any],
    module: Mapping[str, Any],
    *schemas: Mapping[str, Any] | None,
) -> Origin | None:
    """`module` are the globals of the decorator's use. None without a placement.

    Raises ToolDefinitionError for a word that is none, and for a tool that no other process can find.
    """
    if placement is None:
        return None
    if placement not in get_args(Placement):
        raise ToolDefinitionError(
            f'{name}: placement is {placement!r}, and the only word for it is "process". Without it a coroutine works '
            "on the event loop, a plain function in a thread."
        )
    shown = f"{name}{place(function)}"
    called, file = str(module.get("__name__", "__main__")), module.get("__file__")
    if called == "__main__" or file is None:
        raise ToolDefinitionError(
            f"{shown}: a process cannot import the module {called} in which it is made. Write it in a file of "
            "its own that is imported, or served by `mcp-app serve FILE.py`."
        )
    if "<locals>" in getattr(function, "__qualname__", ""):
        raise ToolDefinitionError(
            f"{shown}: a process cannot find a function that is made within another one. Write it at the "
            "top of its module."
        )
    file = str(Path(file).absolute())
    return Origin(called, file, source_digest(module, file), schema_digest(name, *schemas))


def schema_digest(name: str, *schemas: Mapping[str, Any] | None) -> str:
    """Of what is listed of a tool, for another process to compare its own with."""
    return _digest(encode([name, *(each and dict(each) for each in schemas)]))


def source_digest(module: Mapping[str, Any], file: str) -> str:
    """Of the module's file: in a zip its loader reads it. Empty where nobody can."""
    get_data = getattr(module.get("__loader__"), "get_data", None)
    try:
        return _digest(Path(file).read_bytes() if get_data is None else get_data(file))
    except OSError:
        return ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
