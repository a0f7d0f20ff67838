"""References: where an argument of a step stands for something of an earlier step's result.

    {"$from": "STEP"}                                  the whole result of that step
    {"$from": "STEP", "pointer": "/rows/0/name"}       the value in it, by JSON Pointer (RFC 6901)
    {"$from": "STEP", "pointer": "…", "default": 0}    the same, or the default where there is none
    {"$literal": {"$from": "no reference"}}            the value itself, whatever is in it

An object with one of the two names is never data, so that data that looks like a reference has to be written with
`$literal`, and an error says so. Nothing is looked up here: who fills in knows the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from mcp_app.builtin.run_workflow.pointers import tokens

FROM = "$from"
LITERAL = "$literal"

_MEMBERS = frozenset([FROM, "pointer", "default"])

_HOLDERS = (dict, list)
"""What has values in it. It is asked before a call: a list of a million numbers is looked at in 50 ms."""

Place = tuple[str | int, ...]
"""The names and indices that lead to a value in the parameters: it is named by them in an error."""


class Reference(NamedTuple):
    """What stands at `place`. `way` are the tokens of the pointer; `default` is one value in a tuple, or none."""

    place: Place
    step: str
    pointer: str
    way: tuple[str, ...]
    default: tuple[Any, ...] = ()


class Problem(NamedTuple):
    """What is wrong, and where."""

    place: Place
    problem: str


def found(value: Any, place: Place) -> Iterator[Reference | Problem]:
    """Every reference in the value, which stands at `place`, and everything that is not written as one is."""
    if isinstance(value, dict):
        if FROM in value or LITERAL in value:
            yield from _read(value, place)
            return
        for name, each in value.items():
            if type(each) in _HOLDERS:
                yield from found(each, (*place, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            if type(each) in _HOLDERS:
                yield from found(each, (*place, at))


def filled(value: Any, given: Callable[[Reference], Any]) -> Any:
    """The value with what is `given` for each of its references; itself where there are none."""
    if isinstance(value, dict):
        if LITERAL in value:
            return value[LITERAL]
        if FROM in value:
            return given(_reference(value, ()))
        return {name: filled(each, given) if type(each) in _HOLDERS else each for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, given) if type(each) in _HOLDERS else each for each in value]
    return value


def _read(value: Mapping[str, Any], place: Place) -> Iterator[Reference | Problem]:
    if LITERAL in value:
        if len(value) > 1:
            yield Problem(place, f'beside "{LITERAL}" nothing may stand: the value is what is in it')
        return
    if unknown := value.keys() - _MEMBERS:
        yield Problem(
            place,
            f'an object with "{FROM}" is a reference, which has "pointer" and "default" besides, not '
            f"{', '.join(sorted(map(_quoted, unknown))[:5])}. For data that looks like it write "
            f'{{"{LITERAL}": {{…}}}}',
        )
        return
    if not isinstance(value[FROM], str) or not isinstance(value.get("pointer", ""), str):
        yield Problem(place, f'in a reference "{FROM}" is the id of a step, and "pointer" a JSON Pointer: two texts')
        return
    try:
        yield _reference(value, place)
    except ValueError as error:
        yield Problem((*place, "pointer"), str(error))


def _reference(value: Mapping[str, Any], place: Place) -> Reference:
    pointer = value.get("pointer", "")
    default = (value["default"],) if "default" in value else ()
    return Reference(place, value[FROM], pointer, tokens(pointer), default)


def _quoted(name: str) -> str:
    return f'"{name[:50]}"'
