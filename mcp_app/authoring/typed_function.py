"""A typed function that a resource or a prompt is made of: what it is called, what it takes, from texts to arguments.

Callers of both have texts only: parts of a URI, or the arguments of a prompt, which MCP has as strings. How the
function is worked on is in runs/execution.py, and what its result becomes is its owner's.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from ..protocol.errors import InvalidParams, ToolDefinitionError
from ..protocol.plain import problems
from .docstrings import describe
from .kind import Kind
from .signature import Signature, read
from .source import Scope, docstring, where


@dataclass(frozen=True, slots=True, eq=False)
class TypedFunction:
    """A coroutine or a plain function whose parameters have types."""

    function: Callable[..., Any]
    kind: Kind
    signature: Signature
    name: str
    description: str

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schema of each parameter, by its name; a `Context` is none."""
        properties: Mapping[str, Mapping[str, Any]] = self.signature.input_schema["properties"]
        return properties

    @property
    def required(self) -> frozenset[str]:
        """The parameters that have no default."""
        return frozenset(self.signature.input_schema.get("required", ()))

    @property
    def where(self) -> str:
        """The function and its line, for messages to its author."""
        return where(self.function, self.name)

    def arguments(self, texts: Mapping[str, str], hint: str) -> dict[str, Any]:
        """The keyword arguments that the texts stand for: each is read as what its parameter's type takes.

        Lists, dicts and models are read from JSON. Raises InvalidParams with `hint`, its details naming each field.
        """
        try:
            model = self._model(texts)
        except ValidationError as error:
            details = problems(error)
            raise InvalidParams(
                f"{details[0]['field']}: {details[0]['problem']}.", hint=hint, details=details
            ) from None
        return self.signature.keywords(model)

    def _model(self, texts: Mapping[str, str]) -> BaseModel:
        values = {name: self._meant(name, text) for name, text in texts.items()}
        try:
            return self.signature.parameters.model_validate(values, strict=False)
        except ValidationError as error:
            failed = {str(found["loc"][0]) for found in error.errors() if found["loc"]}
            read_as_json = {name: value for name in failed & texts.keys() if (value := _json(texts[name])) is not None}
            if not read_as_json:
                raise
            return self.signature.parameters.model_validate({**values, **read_as_json}, strict=False)

    def _meant(self, name: str, text: str) -> Any:
        items = _json(text) if name in self.signature.lists else None
        return items if isinstance(items, list) else self.signature.meant(name, [text])


def typed_function(function: Any, decorator: str, *, depth: int) -> TypedFunction:
    """Read the function that `decorator` was put on, `depth` calls away from where it is written.

    Raises ToolDefinitionError naming the function and what to do.
    """
    name = getattr(function, "__name__", "")
    if inspect.isclass(function) or not callable(function) or not name:
        raise ToolDefinitionError(
            f"{function!r} is not a function: {decorator} goes on a function, once. "
            "Of another callable, write a function that calls it."
        )
    kind = Kind.of(function)
    if kind.yields:
        raise ToolDefinitionError(f"{name}: {decorator} goes on a function that returns; this one yields.")
    frame = sys._getframe(depth + 1)
    description, parameters = describe(docstring(function))
    signature = read(
        function,
        Scope(frame.f_locals, frame.f_globals).of(function),
        parameters,
        generates=False,
    )
    return TypedFunction(function, kind, signature, name, description)


def _json(text: str) -> Any:
    """The list or the object that the text is as JSON; None when it is neither."""
    if text[:1] not in {"[", "{"}:
        return None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
