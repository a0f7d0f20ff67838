"""Pydantic's validation errors as the error object's `details`: the path of each field and its problem.

The values are left out: they may be secrets, and the caller has them. Nothing is validated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from .event import sendable_text

MAX_DETAILS = 20
"""A list of a thousand invalid items is one mistake, not a thousand."""

MAX_LISTED = 10_000
"""Errors that pydantic is asked to list: 4 microseconds each, in which the event loop waits."""

UNKNOWN_NAME = frozenset(["extra_forbidden", "unexpected_keyword_argument"])
"""Pydantic's types of error for a name without a field: in a model, in a dataclass."""

_FUNCTION = re.compile(r"function-(?:before|after|wrap)\[[^\[\](),]*\(\), ((?:[^\[\]]|\[[^\[\]]*\])*)\]")

_MAX_NAME_CHARS = 200  # characters of a field's name or path; the caller chose the name and knows the rest


def problems(error: ValidationError, called: str = "") -> list[dict[str, str]]:
    """The details; `called` is the name of the value that was validated, if it has one."""
    errors = listed(error)
    return [{"field": path(called, each["loc"]), "problem": problem(each)} for each in errors[:MAX_DETAILS]]


def listed(error: ValidationError) -> list[ErrorDetails]:
    """Pydantic's errors, without values; one that says how many there are, if they are more than MAX_LISTED."""
    if (count := error.error_count()) > MAX_LISTED:
        said = PydanticCustomError("too_many", "{count} values in it are wrong, or have no field", {"count": count})
        error = ValidationError.from_exception_data(error.title, [{"type": said, "loc": (), "input": None}], "json")
    try:
        return error.errors(include_url=False, include_context=False, include_input=False)
    except UnicodeEncodeError as unsendable:
        return listed(refusal(unsendable))


def failed_names(error: ValidationError) -> set[str]:
    """The parameters that something is wrong with, by the names that callers use."""
    return {str(each["loc"][0]) for each in listed(error) if each["loc"]}


def refusal(error: UnicodeEncodeError) -> ValidationError:
    """What a validator that an author wrote says, if pydantic fails on it: half of a surrogate pair is in it, as
    os.fsdecode makes of a file's name. U+FFFD replaces that; which field was refused, pydantic does not tell."""
    said = PydanticCustomError("value_error", "{problem}", {"problem": f"Value error, {sendable_text(error.object)}"})
    return ValidationError.from_exception_data("refusal", [{"type": said, "loc": (), "input": None}], "json")


def path(called: str, steps: Iterable[str | int]) -> str:
    """The path of a field, shortened: `params.ports.0`; `params` is that of the whole value."""
    names = [_shortened(_without_functions(str(step))) for step in steps]
    return _shortened(".".join([called, *names] if called else names))


def _without_functions(step: str) -> str:
    """A choice of a union, which pydantic calls by the functions around it as well: `function-after[f(), int]`."""
    while (shorter := _FUNCTION.sub(r"\1", step)) != step:
        step = shorter
    return step


def problem(error: ErrorDetails) -> str:
    """What is wrong, without the value."""
    return "There is no field of this name" if error["type"] in UNKNOWN_NAME else error["msg"]


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_CHARS else f"{name[:_MAX_NAME_CHARS]}…"
