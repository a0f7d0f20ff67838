"""The arguments of one step against what its tool takes: literals as a call would take them, references by types.

Nothing is called. What the tool's own validation says of literals is said here as well, repairs included.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mcp_app import Tool, errors
from mcp_app.builtin.run_workflow import schemas
from mcp_app.builtin.run_workflow.references import FROM, LITERAL, Problem, Reference, filled
from mcp_app.builtin.run_workflow.references import Place as Where
from mcp_app.builtin.run_workflow.steps import Step


class Listed:
    """A tool, and what its schemas say that it takes and gives; `gives` is None where nothing is declared."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.name = tool.name
        self.takes = schemas.place_of(tool.input_schema)
        self.gives = None if tool.output_schema is None else schemas.place_of(tool.output_schema)


MAX_UNKNOWN = 20
"""Parameters that are named as unknown, of one step: more are one mistake, as a list in the place of a step."""


class Looks:
    """Literals beside references that are looked at in one workflow. The tool looks at all of them when it is called;
    here everybody waits."""

    MOST = 10_000

    def __init__(self) -> None:
        self.left = self.MOST


def wrong_arguments(at: int, step: Step, tool: Listed, mixed: Collection[str], looks: Looks) -> Iterator[Problem]:
    """What is wrong with the step's arguments: missing, unknown, or of a wrong type. `mixed` are the names of those
    that have references in them, or what should be one."""
    if {FROM, LITERAL} & step.params.keys():  # which is a problem of its own
        return
    where: Where = ("steps", at, "params")
    places = {name: tool.takes.at(name) for name in step.params}
    missing = [name for name in tool.tool.input_schema.get("required", ()) if name not in step.params]
    for name in missing:
        expected = tool.takes.at(name)
        what = "" if expected is None else f" ({_words(expected.types)})"
        yield Problem((*where, name), f"the tool {tool.name} requires this parameter{what}, which is missing")
    known = _list(tool.takes.names)
    for name in [name for name, place in places.items() if place is None][:MAX_UNKNOWN]:
        yield Problem((*where, name), f"the tool {tool.name} has no parameter of this name; it has {known}")
    literal = {
        name: filled(value, _none)
        for name, value in step.params.items()
        if name not in mixed and places[name] is not None
    }
    yield from _refused(where, tool.tool, literal, complete=not missing and len(literal) == len(step.params))
    for name in step.params:
        if name in mixed and (inner := places[name]) is not None:
            yield from _mixed(step.params[name], (*where, name), inner, looks)


def wrong_pointer(reference: Reference, source: Listed) -> Iterator[Problem]:
    """Of a reference that leads to nothing that the result of its step, a call of `source`, can have."""
    if source.gives is None:
        return
    place, there = source.gives, ""
    for token in reference.way:
        inner = place.at(token)
        if inner is None:
            names = place.names
            is_there = f"has {_list(names)}" if names else f"is {_words(place.types)}"
            at = f" at {there!r:.100}" if there else ""
            said = f'{reference.pointer!r:.100} leads to nothing in the result of "{reference.step}"'
            yield Problem((*reference.place, "pointer"), f"{said}, which{at} {is_there}")
            return
        place, there = inner, f"{there}/{token}"


def wrong_type(reference: Reference, source: Listed, target: Listed) -> Iterator[Problem]:
    """Of a reference in an argument whose value, or default, `target` does not take where it stands."""
    taken = schemas.within(target.takes, [str(each) for each in reference.place[3:]])
    if taken is None:
        return
    if reference.default and not _fits(reference.default[0], taken):
        given = _words(schemas.type_of(reference.default[0]))
        what = f"the default is {given}, and the tool {target.name} takes {_words(taken.types)}"
        yield Problem((*reference.place, "default"), what)
    place = None if source.gives is None else schemas.within(source.gives, reference.way)
    if place is not None and (clash := schemas.clash(place, taken)):
        what = f'the result of "{reference.step}" has {_words(clash.given)} where the tool {target.name} takes'
        yield Problem(reference.place, f"{what} {_words(clash.taken)}{_inside(clash.way)}")


def _refused(where: Where, tool: Tool, literal: Mapping[str, Any], *, complete: bool) -> Iterator[Problem]:
    """What the tool would say of these arguments; of all together only if they are `complete`."""
    try:
        tool.arguments(literal)
    except errors.InvalidParams as error:
        for each in error.details:
            name = each["field"].partition(".")[2]
            if any(name == known or name.startswith(f"{known}.") for known in literal):
                yield Problem((*where, name), each["problem"])
            elif complete:
                yield Problem((*where, name) if name else where, each["problem"])


def _mixed(value: Any, where: Where, place: schemas.Place, looks: Looks, *, literal: bool = False) -> Iterator[Problem]:
    """The literal parts of a value that has references in it, by their types: a tool cannot be asked of a part."""
    if place.is_anything or looks.left <= 0:
        return
    looks.left -= 1
    if isinstance(value, dict) and not literal:
        if FROM in value:
            return
        if LITERAL in value:
            yield from _mixed(value[LITERAL], where, place, looks, literal=True)
            return
    if not _fits(value, place):
        yield Problem(where, f"this is {_words(schemas.type_of(value))}, and the tool takes {_words(place.types)}")
        return
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for token, each in items:
        if looks.left <= 0:
            return
        inner = place.at(str(token))
        if inner is None:
            yield Problem((*where, token), f"nothing of this name can stand here; there are {_list(place.names)}")
        else:
            yield from _mixed(each, (*where, token), inner, looks, literal=literal)


def _fits(value: Any, place: schemas.Place) -> bool:
    """Whether a literal is of a type that is taken, or a text that a call would repair to one."""
    if schemas.type_of(value) & place.types:
        return True
    try:
        return isinstance(value, str) and bool(schemas.type_of(json.loads(value)) & place.types)
    except (ValueError, RecursionError):
        return False


def _none(_: Reference) -> None:
    """Nothing is filled in: there are no references."""


def _inside(way: Sequence[str]) -> str:
    return f" (at {'/' + '/'.join(way)!r:.100} in it)" if way else ""


def _words(types: frozenset[str]) -> str:
    """Types as people say them. A number may be an integer, which goes without saying."""
    if types == schemas.TYPES:
        return "any type"
    return " or ".join(sorted(types - {"integer"} if "number" in types else types)) or "nothing"


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{', '.join(listed[:20])[:300]}{', …' if len(listed) > 20 else ''}" or "none"
