"""The declared type of what a function yields or returns: validates a value, and encodes it.

A value that passes fits the JSON Schema that is listed for it. What is content is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator

from ..protocol.event import NotJson, escape_line_ends, sendable_text
from ..protocol.problems import problems
from .listed_schema import listed_schema
from .proof import proved
from .pydantic_schema import for_json, for_results, for_writing, of_serialised
from .schema_walk import anywhere

_WARNING = re.compile(r"Expected `(\w+)([^`]*)`[^\n]*?(?:field_name='([^']*)'[^\n]*)?input_type=(\w+)")
"""One of pydantic's serializer warnings: the type and its arguments, the field, the type of what is there."""

_REPLACED = "\ufffd".encode()

_ARRAYS = frozenset(["list", "tuple", "set", "frozenset", "deque"])


class NotDeclared(ValueError):
    """The value is not of the declared type. The message says where and why, and not what it is."""


class DeclaredType:
    """A type that a function declares. Raises what pydantic raises for what is no type, and Refused."""

    __slots__ = ("_instances", "_serializer", "_validator", "_warns", "inlined", "schema")

    def __init__(self, annotation: Any) -> None:
        core = proved(for_json(TypeAdapter(annotation).core_schema))
        listed, self.inlined = listed_schema(core, "serialization")
        self.schema: Mapping[str, Any] = listed
        self._validator = SchemaValidator(for_results(core))
        # Compiled anew: pydantic would take the classes' own validators and serializers.
        has_instances = anywhere(core, lambda each: each["type"] in {"model", "dataclass"})
        self._instances = SchemaValidator(of_serialised(core), _use_prebuilt=False) if has_instances else None
        self._serializer = SchemaSerializer(for_writing(core), _use_prebuilt=False)
        # Of all else what was validated is what is written; to be told otherwise costs 0.9 µs for each value.
        self._warns = has_instances or anywhere(core, lambda each: "serialization" in each)

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of what is sent."""
        return dict(self.schema)

    def validated(self, value: Any) -> Any:
        """The value as it is declared, and what is in its models and dataclasses checked. Raises NotDeclared."""
        try:
            value = self._validator.validate_python(value)
            if self._instances is not None:
                self._instances.validate_python(value)
        except ValidationError as error:
            found = problems(error)[0]
            raise NotDeclared(f"{found['field'] or 'value'}: {found['problem']}") from error
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # by a validator that an author wrote; pydantic's own has no frame
            raise NotDeclared(f"value: {error}, in a value of type {type(value).__qualname__}") from error
        return value

    def encode(self, value: Any) -> bytes:
        """The value as JSON, by the names in the schema. Raises NotDeclared, and NotJson for what JSON lacks."""
        return self.encode_validated(self.validated(value))

    def encode_validated(self, value: Any) -> bytes:
        """The same of what `validated` returned."""
        data = self._encoded(value)
        if data.isascii():
            return data
        if _REPLACED in data and _has_half(self._serializer.to_python(value, by_alias=True, warnings=False)):
            raise NotJson("a name in a dict holds half of a surrogate pair, which no UTF-8 can carry")
        return escape_line_ends(data)

    def _encoded(self, value: Any) -> bytes:
        try:
            return self._serializer.to_json(value, by_alias=True, warnings="error" if self._warns else True)
        except PydanticSerializationError as error:
            problem = _problem(value, error)
            if problem is not None:
                raise problem from error
        except (UnicodeError, RecursionError) as error:
            raise NotJson.of(value, error) from error
        return self._serializer.to_json(value, by_alias=True, warnings=False)


def _has_half(value: Any) -> bool:
    """Whether a name of a dict cannot be sent: pydantic, which refuses such a text, sends another name."""
    if isinstance(value, dict):
        return any(isinstance(each, str) and sendable_text(each) != each for each in value) or _has_half(
            list(value.values())
        )
    return isinstance(value, list | tuple | set | frozenset) and any(map(_has_half, value))


def _problem(value: Any, error: PydanticSerializationError) -> ValueError | None:
    """What is wrong; None if it is only an array of another class, as in `t: tuple[int, ...] = []`: pydantic does not
    validate defaults, and the JSON is the same."""
    text = str(error)
    if not text.startswith("Pydantic serializer warnings"):
        return NotJson.of(value, error)
    found = _WARNING.findall(text)
    wrong = [each for each in found if not (each[0] in _ARRAYS and each[3] in _ARRAYS)]
    if not wrong:
        return None if found else NotDeclared("value: another type is declared")
    expected, arguments, field, actual = wrong[0]
    return NotDeclared(f"{field or 'value'}: {expected}{arguments} is declared, this is of type {actual}")
