"""A workflow is checked whole before its first step: everything that is wrong is found, each with its place.

Nothing is called here, and nothing raised: what is found is a list.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from mcp_app import Tool
from mcp_app.builtin.run_workflow.arguments import Listed, Looks, wrong_arguments, wrong_pointer, wrong_type
from mcp_app.builtin.run_workflow.graph import Link, circles, links, references
from mcp_app.builtin.run_workflow.pointers import tokens
from mcp_app.builtin.run_workflow.references import Place, Problem, Reference
from mcp_app.builtin.run_workflow.report import least_characters
from mcp_app.builtin.run_workflow.retrying import BEFORE_IT_BEGAN
from mcp_app.builtin.run_workflow.steps import Selection, Step

Tools = Mapping[str, Tool]
Used = Mapping[str, Listed]

MAX_REFERENCES = 1000
"""Of one workflow: ten for each step. Each is looked up in two schemas before the first step, while everybody waits."""


class Suggestions:
    """Names that may have been meant: for the first mistakes, as each is compared with all that there are, which takes
    quadratic time."""

    MOST = 5

    def __init__(self) -> None:
        self._left = self.MOST

    def of(self, name: str, known: Collection[str]) -> str:
        """What to say behind a name that is unknown; empty if none is like it."""
        if not self._left:
            return ""
        self._left -= 1
        similar = difflib.get_close_matches(name[:32], list(known), n=3)
        return f": did you mean {' or '.join(similar)}?" if similar else ""


def check(
    steps: Sequence[Step],
    tools: Tools,
    own: Collection[str] = (),
    results: Sequence[Selection] | None = None,
    max_characters: int | None = None,
) -> list[Problem]:
    """Everything that is wrong; nothing if the workflow can begin. `own` are the names of what runs workflows."""
    written = [list(references(at, step)) for at, step in enumerate(steps)]
    if (count := sum(map(len, written))) > MAX_REFERENCES:
        return [Problem(("steps",), f"there are {count} references, and may be {MAX_REFERENCES}")]
    numbers = _numbers(steps)
    meant = Suggestions()
    used = {step.tool: Listed(tools[step.tool]) for step in steps if step.tool in tools}
    problems: list[Problem] = []
    looks = Looks()
    before = [list(links(at, step, written[at])) for at, step in enumerate(steps)]
    for at, step in enumerate(steps):
        problems += _of_id(at, step, numbers)
        problems += _of_tool(at, step, tools, own, meant)
        problems += (each for each in written[at] if isinstance(each, Problem))
        problems += _of_links(before[at], numbers, meant)
        problems += _of_arguments(at, step, written[at], lambda name: _tool_of(name, steps, numbers, used), used, looks)
        problems += _of_retry(at, step, tools)
    problems += _of_order(steps, before, numbers)
    problems += _of_results(results or (), steps, numbers, used, meant)
    if max_characters is not None and (least := least_characters(steps)) > max_characters:
        what = f"the result of {len(steps)} steps has up to {least} characters without what the tools return"
        problems.append(Problem(("max_characters",), f"{what}: allow as many"))
    return problems


def _numbers(steps: Sequence[Step]) -> dict[str, int]:
    """The index of each id; of one that stands twice, the first."""
    numbers: dict[str, int] = {}
    for at, step in enumerate(steps):
        numbers.setdefault(step.id, at)
    return numbers


def _of_id(at: int, step: Step, numbers: Mapping[str, int]) -> Iterator[Problem]:
    if (first := numbers[step.id]) != at:
        yield Problem(("steps", at, "id"), f'the id "{step.id}" is that of steps.{first}, too: each step has its own')


def _of_tool(at: int, step: Step, tools: Tools, own: Collection[str], meant: Suggestions) -> Iterator[Problem]:
    if step.tool in own:
        yield Problem(("steps", at, "tool"), f"{step.tool} does not call itself: write its steps here")
    elif step.tool not in tools:
        yield Problem(("steps", at, "tool"), f'there is no tool named "{step.tool}"{meant.of(step.tool, tools)}')


def _of_links(before: Sequence[Link], numbers: Mapping[str, int], meant: Suggestions) -> Iterator[Problem]:
    for each in before:
        if each.step not in numbers:
            yield Problem(each.place, f'there is no step "{each.step[:64]}"{meant.of(each.step, numbers)}')


def _of_arguments(
    at: int,
    step: Step,
    written: Sequence[Reference | Problem],
    tool_of: Callable[[str], Listed | None],
    used: Used,
    looks: Looks,
) -> Iterator[Problem]:
    tool = used.get(step.tool)
    for each in written:
        if isinstance(each, Problem) or (source := tool_of(each.step)) is None:
            continue
        yield from wrong_pointer(each, source)
        if tool is not None and each.place[2] == "params":
            yield from wrong_type(each, source, tool)
    if tool is not None:
        mixed = {str(each.place[3]) for each in written if each.place[2] == "params" and len(each.place) > 3}
        yield from wrong_arguments(at, step, tool, mixed, looks)


def _tool_of(name: str, steps: Sequence[Step], numbers: Mapping[str, int], used: Used) -> Listed | None:
    return used.get(steps[numbers[name]].tool) if name in numbers else None


def _of_retry(at: int, step: Step, tools: Tools) -> Iterator[Problem]:
    tool = tools.get(step.tool)
    if step.retry is None or tool is None or tool.read_only or tool.idempotent:
        return
    if step.retry.on is None or set(step.retry.on) - BEFORE_IT_BEGAN:
        yield Problem(
            ("steps", at, "retry"),
            f"the tool {tool.name} is neither read-only nor idempotent: a call that failed may have had its effect, "
            f"and is not made again. What it is refused with before it begins may be: on {sorted(BEFORE_IT_BEGAN)}",
        )


def _of_order(steps: Sequence[Step], before: Sequence[Sequence[Link]], numbers: Mapping[str, int]) -> Iterator[Problem]:
    """Each circle: it is named by its steps, and stands where the first of them says what it waits for."""
    after: list[dict[int, Place]] = [
        {numbers[each.step]: each.place for each in reversed(those) if each.step in numbers} for those in before
    ]
    for circle in circles(after):
        ids = [steps[at].id for at in (*circle, circle[0])]
        first, second = circle[0], circle[1 % len(circle)]
        way = " needs ".join(f'"{each}"' for each in ids)
        yield Problem(after[first][second], f"a cycle, in which no step can be the first: {way}")


def _of_results(
    results: Sequence[Selection],
    steps: Sequence[Step],
    numbers: Mapping[str, int],
    used: Used,
    meant: Suggestions,
) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, each in enumerate(results):
        place: Place = ("results", at)
        if each.step not in numbers:
            yield Problem(place, f'there is no step "{each.step[:64]}"{meant.of(each.step, numbers)}')
        if each.step in seen:
            yield Problem(place, f'"{each.step[:64]}" was selected before: each step has one result')
        seen.add(each.step)
        try:
            way = tokens(each.pointer)
        except ValueError as error:
            yield Problem((*place, "pointer"), str(error))
            continue
        if (tool := _tool_of(each.step, steps, numbers, used)) is not None:
            yield from wrong_pointer(Reference(place, each.step, each.pointer, way), tool)
