"""What comes before what: the order that needs and references make, and the circles in it.

Pure; of tools nothing is known here. Loops instead of recursion: a chain may be as long as a workflow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mcp_app.builtin.run_workflow.references import FROM, LITERAL, Place, Problem, Reference, found
from mcp_app.builtin.run_workflow.steps import Step


class Link(NamedTuple):
    """That one step comes after another, and where that is written. `takes`: it looks at the other's result. `firm`: it
    needs the other to have succeeded; a condition, and a reference with a default, only wait for it."""

    place: Place
    step: str
    takes: bool
    firm: bool


def links(at: int, step: Step, written: Iterable[Reference | Problem]) -> Iterator[Link]:
    """Those of the step that stands at that index, and whose `references` are `written`."""
    for number, name in enumerate(step.needs):
        yield Link(("steps", at, "needs", number), name, takes=False, firm=True)
    for each in written:
        if isinstance(each, Reference):
            yield Link(each.place, each.step, takes=True, firm=not each.default and each.place[2] != "if")


def references(at: int, step: Step) -> Iterator[Reference | Problem]:
    """All of the step's, in its arguments and in its condition, and what is not written as one is."""
    place: Place = ("steps", at, "params")
    if reserved := {FROM, LITERAL} & step.params.keys():
        yield Problem(place, f'params has the parameters by their names: "{min(reserved)}" stands for one of them')
    else:
        yield from found(step.params, place)
    if (condition := step.if_) is not None:
        [comparison] = condition.comparisons
        yield from found({FROM: condition.step, "pointer": condition.pointer}, ("steps", at, "if"))
        if comparison != "exists":
            yield from found(getattr(condition, comparison), ("steps", at, "if", comparison.rstrip("_")))


def circles(after: Sequence[Mapping[int, Place]]) -> list[list[int]]:
    """One circle, a shortest one, of each group of steps that wait for each other. `after[n]` are the steps that come
    before step n."""
    found_circles: list[list[int]] = []
    for group in _groups(after):
        if circle := _shortest(min(group), after):
            found_circles.append(circle)
    return found_circles


def _groups(after: Sequence[Mapping[int, Place]]) -> list[set[int]]:
    """The sets of steps in which each comes before each other (Kosaraju), with those that come before themselves."""
    before: list[list[int]] = [[] for _ in after]
    for step, those in enumerate(after):
        for each in those:
            before[each].append(step)
    order: list[int] = []
    seen: set[int] = set()
    for root in range(len(after)):
        stack = [(root, iter(after[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            step, rest = stack[-1]
            following = next((each for each in rest if each not in seen), None)
            if following is None:
                order.append(step)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(after[following])))
    groups: list[set[int]] = []
    taken: set[int] = set()
    for root in reversed(order):
        if root in taken:
            continue
        group, ahead = {root}, [root]
        taken.add(root)
        while ahead:
            for each in before[ahead.pop()]:
                if each not in taken:
                    taken.add(each)
                    group.add(each)
                    ahead.append(each)
        groups.append(group)
    return sorted(groups, key=min)


def _shortest(start: int, after: Sequence[Mapping[int, Place]]) -> list[int]:
    """The steps from `start` back to itself, without it at the end; none if it is in no circle."""
    came: dict[int, int] = {}
    ahead = deque([start])
    while ahead:
        step = ahead.popleft()
        for each in after[step]:
            if each == start:
                circle = [step]
                while circle[-1] != start:
                    circle.append(came[circle[-1]])
                return circle[::-1]
            if each not in came:
                came[each] = step
                ahead.append(each)
    return []
