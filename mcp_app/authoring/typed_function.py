"""The typed function of a resource or a prompt: its name, its signature, and the conversion of texts to arguments.

Callers of both send only texts: parts of a URI, or the arguments of a prompt, which are strings in MCP. Running the
function is in runs/execution.py; encoding its result is in resource.py and prompt.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..protocol.errors import InvalidParams, ToolDefinitionError
from ..protocol.http import query_text
from ..protocol.problems import failed_names, problems
from .callables import Noun, checked_name
from .docstrings import Docstring
from .kind import Kind
from .signature import Signature
from .signature_of import signature_of
from .source import Scope, docstring, where


@dataclass(frozen=True, slots=True, eq=False)
class TypedFunction:
    """A coroutine function or a plain function with annotated parameters."""

    function: Callable[..., Any]
    kind: Kind
    signature: Signature
    name: str
    description: str

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schema of each parameter, by name, without the `Context`."""
        properties: Mapping[str, Mapping[str, Any]] = self.signature.input_schema["properties"]
        return properties

    @property
    def required(self) -> frozenset[str]:
        """The parameters without a default."""
        return frozenset(self.signature.input_schema.get("required", ()))

    @property
    def where(self) -> str:
        """The function's name and line, for messages to its author."""
        return where(self.function, self.name)

    def arguments(self, texts: Mapping[str, str], hint: str, called: str = "") -> dict[str, Any]:
        """The keyword arguments: each text is converted to the type of its parameter.

        Lists, dicts and models are parsed from JSON. Raises InvalidParams with `hint`, its details naming each field:
        a member of what the caller calls `called`.
        """
        try:
            return self._converted(texts)
        except ValidationError as error:
            details = problems(error, called)
            raise InvalidParams(
                f"{details[0]['field']}: {details[0]['problem']}.", hint=hint, details=details
            ) from None

    def _converted(self, texts: Mapping[str, str]) -> dict[str, Any]:
        values = {name: self._decoded(name, text) for name, text in texts.items()}
        try:
            return self.signature.from_texts(values)
        except ValidationError as error:
            failed = failed_names(error) & texts.keys()
            from_texts = {name: value for name in failed if (value := query_text.parsed(texts[name])) is not None}
            if not from_texts:
                raise
            return self.signature.from_texts({**values, **from_texts})

    def _decoded(self, name: str, text: str) -> Any:
        items = query_text.parsed(text) if name in self.signature.lists else None
        return items if isinstance(items, list) else self.signature.decoded(name, [text])


def typed_function(function: Any, noun: Noun, name: str | None, *, depth: int) -> TypedFunction:
    """Inspect the function decorated with the decorator named `noun`; `name` is that of its option. `depth`: stack
    frames from the caller to the decorator's use.

    Raises ToolDefinitionError naming the function and what to do.
    """
    name = checked_name(function, noun, name)
    kind = Kind.of(function)
    if kind.yields:
        raise ToolDefinitionError(f"{name}: @{noun} goes on a function that returns; this one yields.")
    frame = sys._getframe(depth + 1)
    documented = Docstring(docstring(function))
    signature = signature_of(
        function,
        Scope(frame.f_locals, frame.f_globals).of(function),
        documented.parameters,
        kind=kind,
        noun=noun,
    )
    return TypedFunction(function, kind, signature, name, documented.description(signature.documented))
