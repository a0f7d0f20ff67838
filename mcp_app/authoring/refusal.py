"""Pydantic's validation errors as the error that a caller gets: every unknown name, what was expected, an example.

The values are left out: they may be secrets, and the caller has them. Nothing is validated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from ..protocol.errors import InvalidParams
from ..protocol.example import example, expected
from ..protocol.json_places import Place
from ..protocol.problems import MAX_DETAILS, UNKNOWN_NAME, listed, path, problem

_OF_SCHEMAS = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"} - UNKNOWN_NAME
"""Errors of which the schema tells what is right: not those of validators that an author wrote."""

_WITHOUT_EXAMPLE = frozenset(
    [
        *("literal_error", "enum"),  # they list all that is right
        *("date_past", "date_future", "datetime_past", "datetime_future", "timezone_naive", "timezone_aware"),
    ]
)
"""Errors to which an example adds nothing, or of which the schema does not tell one."""

_MAX_NAMES_CHARS = 1000  # of unknown names, which the caller chose

_Steps = tuple[str | int, ...]


def within(error: ValidationError, names: Collection[str]) -> ValidationError | None:
    """The part of the error that is about these arguments; None if there is none."""
    found: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError(each["type"], "{problem}", {"problem": each["msg"]}),
            "loc": each["loc"],
            "input": None,
        }
        for each in listed(error)
        if each["loc"] and each["loc"][0] in names
    ]
    return ValidationError.from_exception_data(error.title, found, "json") if found else None


def invalid_params(
    error: ValidationError, schema: Mapping[str, Any], params: Mapping[str, Any], called: str
) -> InvalidParams:
    """The caller's error, of params that the dialect calls `called` and the tool lists by `schema`."""
    errors = listed(error)
    root = Place([schema], schema)
    unknown: dict[_Steps, list[str]] = {}
    for each in errors:
        if each["type"] in UNKNOWN_NAME:
            unknown.setdefault(each["loc"][:-1], []).append(str(each["loc"][-1]))
    several = {place: names for place, names in unknown.items() if len(names) > 1}
    rest = [each for each in errors if each["type"] not in UNKNOWN_NAME or each["loc"][:-1] not in several]
    details = dict.fromkeys(
        [
            *((path(called, place), _no_fields(names)) for place, names in several.items()),
            *(_detail(each, root, params, called) for each in rest[:MAX_DETAILS]),
        ][:MAX_DETAILS]
    )
    message = "{}: {}.".format(*next(iter(details)))
    return InvalidParams(message, details=[{"field": field, "problem": what} for field, what in details])


def _no_fields(names: Sequence[str]) -> str:
    return f"There are no fields named {', '.join(names)[:_MAX_NAMES_CHARS]}"


def _detail(error: ErrorDetails, root: Place, params: Mapping[str, Any], called: str) -> tuple[str, str]:
    """(The field, its problem with what is expected there.)"""
    steps, choice = _steps(error, params)
    if choice[:1] == ("[key]",):
        choice = choice[:1]  # of a name, whose types are pydantic's affair
    field, found = path(called, (*steps, *choice)), problem(error)
    if error["type"] not in _OF_SCHEMAS or len(choice) > 1 or choice == ("[key]",):
        return field, found
    place = _at(root, steps, params)
    types = expected(place)
    if choice:  # no choice of a union took the value: pydantic says so of each
        field, found = path(called, steps), f"Input should be {types}" if types else found
    elif error["type"] == "missing" and types:
        found = f"Field required: {types}"
    like = None if error["type"] in _WITHOUT_EXAMPLE and not choice else example(place)
    return field, found if like is None else f"{found}, such as {like}"


def _steps(error: ErrorDetails, value: Any) -> tuple[_Steps, _Steps]:
    """(The steps from the parameters to the field, the rest of pydantic's path: names of choices of a union and what is
    within.)"""
    location = error["loc"]
    last = len(location) - 1
    for index, step in enumerate(location):
        there = _within(value, step)
        if not there and not (error["type"] == "missing" and index == last):
            return location[:index], location[index:]
        value = value[step] if there else None
    return location, ()


def _within(value: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, Mapping) and step in value


def _at(place: Place, steps: _Steps, value: Any) -> Place:
    for step in steps:
        place = place.item(step) if isinstance(step, int) else place.members(value or {}).place(step)
        value = value[step] if _within(value, step) else None
    return place
