"""A function's signature as types, and what a call's values become by them: the function's keyword arguments.

How it is read from a function is not known here; no function is called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator

from ..protocol.event import NotJson, encode
from ..protocol.problems import MAX_LISTED, refusal
from ..protocol.repair import repair, with_integers
from .bounded_cost import LARGE_BYTES, Branching, failing_fast
from .declared_type import DeclaredType
from .dependencies import Plan
from .kind import FailedArguments
from .refusal import within

logger = logging.getLogger("mcp_app.authoring")


class Validated(NamedTuple):
    """The function's keyword arguments, and the JSON values they were made of: the call's own, or with `repaired` of
    them in the type that the schema names."""

    arguments: dict[str, Any]
    params: Mapping[str, Any]
    repaired: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's types, from its annotations.

    `parameters` is the model of the arguments, `validator` what validates them, `branching` what that may cost;
    `attributes` maps each name that callers use to the model's attribute. `context` is the parameter annotated
    `Context`. `lists` are the parameters for which a repeated name in a query is a list; `choices` maps a parameter
    with an enumeration to its values, by their spelling in a query. `item` and `result` are None where nothing is
    declared; `item_content` and `content`: the declared type includes content. `model_parameter` is the one that takes
    the model itself, for `@tool(parameters=…)`.
    """

    parameters: type[BaseModel]
    validator: SchemaValidator
    branching: Branching | None
    attributes: Mapping[str, str]
    context: str | None
    lists: frozenset[str]
    choices: Mapping[str, Mapping[str, Any]]
    item: DeclaredType | None
    result: DeclaredType | None
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    content: bool
    item_content: bool
    beside_content: Any
    """A type that is declared in one array with content and cannot stand there in a tool's; None if there is none."""
    streams: bool
    """Whether it is that of a generator, or of a function that returns the generator it wraps."""
    keywords: tuple[tuple[str, str], ...]
    """Each parameter of the function, and the model's attribute with its argument."""
    documented: frozenset[str]
    """The names that need no description in the function's own: those of parameters that are described where they are
    listed, and those that callers do not see."""
    model_parameter: str | None = None
    plan: Plan | None = None
    """What is made for its other parameters, `Shared` and `Depends`; None if nothing is."""

    @property
    def by_name(self) -> dict[str, tuple[str, str | None]]:
        """For each name that callers use: the function's parameter with its value, and the field of the model there."""
        if self.model_parameter is None:
            return {called: (attribute.removeprefix("p_"), None) for called, attribute in self.attributes.items()}
        fields = self.parameters.model_fields.items()
        return {field.alias or name: (self.model_parameter, name) for name, field in fields}

    def written(self, parameter: str, value: Any) -> dict[str, Any]:
        """The JSON values, by the names that callers use, of one parameter of the function. Raises NotJson."""
        try:
            if parameter == self.model_parameter:
                model: dict[str, Any] = value.model_dump(mode="json", by_alias=True, warnings=False)
                return model
            called, attribute = next(each for each in self.attributes.items() if each[1] == f"p_{parameter}")
            filled = self.parameters.model_construct(**{attribute: value})
            found = filled.model_dump(mode="json", by_alias=True, include={attribute}, warnings=False)
        except (PydanticSerializationError, UnicodeError, RecursionError) as error:
            raise NotJson.of(value, error) from error
        return dict(zip([called], found.values(), strict=False))  # none of a field that is never written

    def decoded(self, name: str, texts: list[str]) -> Any:
        """The value of a parameter from its texts, as far as pydantic cannot convert them itself: lists of one item,
        and enumerations whose values are not strings."""
        choices = self.choices.get(name, {})
        values = [choices.get(text, text) for text in texts]
        return values if name in self.lists or len(values) > 1 else values[0]

    def from_json(self, params: Mapping[str, Any], *, strict: bool) -> Validated:
        """The function's keyword arguments from JSON values, of the types that are listed. What does not fit is
        repaired where only one thing can be meant, unless `strict`.

        Raises ValidationError. Whatever else an author's validator raises is `FailedArguments`, for the run to raise.
        """
        if self.branching is not None:
            self.branching.check(params)
        try:
            return Validated(self._from_json(params), params)
        except ValidationError as error:
            if error.error_count() > MAX_LISTED:
                raise  # more than could be repaired
            repaired, count = (params, 0) if strict else repair(self.input_schema, params)
            # JSON Schema calls 5.0 an integer (Validation, 6.1.1), pydantic does not.
            integers = with_integers(repaired)
            if integers is params:
                raise
        if count:
            try:
                return Validated(self._from_json(repaired), repaired, count)
            except ValidationError:
                if integers is repaired:
                    raise
        return Validated(self._from_json(integers), repaired, count)

    def _from_json(self, params: Any) -> dict[str, Any]:
        data = encode(params)
        validator = self.validator if len(data) <= LARGE_BYTES else failing_fast(self.parameters)
        return self._arguments(validator.validate_json, data, strict=True)

    def from_query(self, params: Mapping[str, Any], texts: Mapping[str, list[str]], *, strict: bool) -> Validated:
        """The same from JSON values, and from texts, which are converted; a repeated name is a list.

        Raises ValidationError.
        """
        if not texts:
            return self.from_json(params, strict=strict)
        params, repaired = self._checked(params, strict=strict) if params else (params, 0)
        values = {**params, **{name: self.decoded(name, items) for name, items in texts.items()}}
        return Validated(self.from_texts(values), params, repaired)

    def _checked(self, params: Mapping[str, Any], *, strict: bool) -> tuple[Mapping[str, Any], int]:
        """JSON values that are only some of the arguments, repaired, and how many were. Raises ValidationError."""
        wrong = self._wrong(params)
        repaired, count = (params, 0) if strict or wrong is None else repair(self.input_schema, params)
        if count:
            wrong = self._wrong(repaired)
        if wrong is not None:
            raise wrong
        return repaired, count

    def _wrong(self, params: Mapping[str, Any]) -> ValidationError | None:
        """What is wrong in these values; other arguments may be missing."""
        try:
            self.from_json(params, strict=True)
        except ValidationError as error:
            return within(error, params.keys())
        return None

    def from_texts(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same from values that are texts, or lists of them, which are converted. Raises ValidationError."""
        return self._arguments(self.validator.validate_python, values, strict=False)

    def _arguments(self, validate: Callable[..., Any], value: Any, *, strict: bool) -> dict[str, Any]:
        try:
            model = validate(value, strict=strict)
        except ValidationError:
            raise
        except UnicodeEncodeError as error:
            raise refusal(error) from None
        except BaseException as error:  # of a validator of the author's: even SystemExit must not end the server
            return FailedArguments(error)
        if self.model_parameter is not None:
            return {self.model_parameter: model}
        return {name: getattr(model, attribute) for name, attribute in self.keywords}
