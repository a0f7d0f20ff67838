"""What of a workflow is due: which steps have ended, which are at work, which can begin, and with which arguments.

Pure: who calls the tools tells what ended. A workflow that was cut goes on with the steps that `ended` before; nothing
else has to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic_core import to_json

from mcp_app.builtin.run_workflow.graph import links, references
from mcp_app.builtin.run_workflow.outcome import StepError
from mcp_app.builtin.run_workflow.pointers import Nowhere, tokens, value_at
from mcp_app.builtin.run_workflow.references import Reference, filled
from mcp_app.builtin.run_workflow.steps import Condition, Step

MAX_AT_ONCE = 10
"""Steps of one workflow that are at work at the same time. A run counts once in MCP_APP_MAX_RUNS: with more, one caller
would have many threads and connections of the server."""

MAX_GIVEN_CHARACTERS = 16 * 1024 * 1024
"""Of what the references of one step stand for, as JSON: as much as one result may have. Else a thousand references
to a long result would be gigabytes."""

MAX_GIVEN_VALUES = 100_000
"""In them, lists and objects included: at so many the event loop looks for half a second, and everybody waits. A result
of 100,000 characters has half as many at most."""

NO_VALUE = "no_value"
"""The code of a step whose reference leads to nothing in the result that there is."""


class Ended(NamedTuple):
    """What became of a step. `result` is the tool's, if its status is ok; `characters` are its length as JSON."""

    status: Literal["ok", "failed", "skipped"]
    attempts: int = 0
    seconds: float = 0.0
    result: Any = None
    characters: int = 0
    error: StepError | None = None
    reason: str = ""


class Start(NamedTuple):
    """A step that is to be called now. `share` is how many came before it."""

    at: int
    arguments: dict[str, Any]
    share: int


class Stop(NamedTuple):
    """A step that has ended without being called: it is skipped, or an argument of it leads to nothing."""

    at: int
    ended: Ended
    share: int


_TOO_MUCH = StepError(
    code="arguments_too_large",
    message=f"What the step's references stand for has more than {MAX_GIVEN_VALUES} values, or {MAX_GIVEN_CHARACTERS}"
    " characters as JSON.",
    hint="Take less of the results, by pointers or by what their steps are asked for.",
)


class _TooMuchGiven(Exception):
    """The references stand for more than a call may have."""


class _NoResult(Exception):
    """There is no value for a reference: the message is the reason."""


class Course:
    """The course of one workflow that was checked. `widths`: how many calls of a tool, by its name, work at once.

    `ended` are steps that an earlier run has ended: they are not called again.
    """

    def __init__(
        self, steps: Sequence[Step], widths: Mapping[str, int] | None = None, ended: Mapping[str, Ended] | None = None
    ) -> None:
        self.steps = steps
        self.ended: list[Ended | None] = [None if ended is None else ended.get(step.id) for step in steps]
        self.working: set[int] = set()
        self._widths = widths or {}
        self._numbers = {step.id: at for at, step in enumerate(steps)}
        self._links = [list(links(at, step, references(at, step))) for at, step in enumerate(steps)]
        self._shares = sum(each is not None for each in self.ended)

    @property
    def failed(self) -> int | None:
        """The step with whose error the workflow ends; None as long as it goes on."""
        for at, (step, ended) in enumerate(zip(self.steps, self.ended, strict=True)):
            if ended is not None and ended.status == "failed" and step.on_error == "fail":
                return at
        return None

    def due(self) -> list[Start | Stop]:
        """What is to be done now, in the order of the steps. A `Start` is at work from now on, a `Stop` has ended."""
        found: list[Start | Stop] = []
        while self.failed is None and (more := self._due_once()):
            found += more
        return found

    def end(self, at: int, ended: Ended) -> None:
        """A step that was at work has ended."""
        self.working.remove(at)
        self.ended[at] = ended

    def forget(self, at: int) -> None:
        """Nobody needs the result of a step that has ended: it is not kept."""
        ended = self.ended[at]
        if ended is not None:
            self.ended[at] = ended._replace(result=None)

    def is_needed(self, at: int) -> bool:
        """Whether a step that has not begun yet takes something of the result."""
        name = self.steps[at].id
        return any(
            self.ended[other] is None
            and other not in self.working
            and any(each.step == name and each.takes for each in its)
            for other, its in enumerate(self._links)
        )

    def _due_once(self) -> list[Start | Stop]:
        found: list[Start | Stop] = []
        for at in range(len(self.steps)):
            if self._is_open(at) and (move := self._move(at)) is not None:
                found.append(move)
                self._shares += 1
                if isinstance(move, Start):
                    self.working.add(at)
                else:
                    self.ended[at] = move.ended
                    if self.failed is not None:
                        break
        return found

    def _is_open(self, at: int) -> bool:
        """Whether it has not begun, and all that comes before it has ended."""
        if self.ended[at] is not None or at in self.working:
            return False
        return all(self.ended[self._numbers[each.step]] is not None for each in self._links[at])

    def _move(self, at: int) -> Start | Stop | None:
        """None if there is no room for it."""
        step = self.steps[at]
        reason = self._reason_to_skip(at)
        if reason is not None:
            return Stop(at, Ended("skipped", reason=reason), self._shares)
        if len(self.working) >= MAX_AT_ONCE or self._is_full(step.tool):
            return None
        try:
            return Start(at, filled(step.params, _Measured(self._given)), self._shares)
        except _TooMuchGiven:
            return Stop(at, Ended("failed", error=_TOO_MUCH), self._shares)
        except _NoResult as none:
            error = StepError(code=NO_VALUE, message=str(none), hint='Give the reference a "default".')
            return Stop(at, Ended("failed", error=error), self._shares)

    def _is_full(self, tool: str) -> bool:
        width = self._widths.get(tool)
        return width is not None and sum(self.steps[each].tool == tool for each in self.working) >= width

    def _reason_to_skip(self, at: int) -> str | None:
        for each in self._links[at]:
            before = self._ended(each.step)
            if not each.firm or before.status == "ok":
                continue
            goes_on = before.status == "failed" and self.steps[self._numbers[each.step]].on_error == "continue"
            if not goes_on or each.takes:
                return f'the step "{each.step}", which it needs, {_became(before)}'
        condition = self.steps[at].if_
        if condition is not None and not self._holds(condition):
            return f'its condition on the step "{condition.step}" does not hold'
        return None

    def _holds(self, condition: Condition) -> bool:
        [comparison] = condition.comparisons
        try:
            value = self._value(condition.step, tokens(condition.pointer))
        except Nowhere:
            return not condition.exists if comparison == "exists" else comparison == "not_"
        if comparison == "exists":
            return condition.exists
        try:
            wanted = filled(getattr(condition, comparison), self._given)
        except _NoResult:
            return comparison == "not_"
        return is_equal(value, wanted) is (comparison == "equals")

    def _given(self, reference: Reference) -> Any:
        try:
            return self._value(reference.step, reference.way)
        except Nowhere:
            if reference.default:
                return reference.default[0]
        raise _NoResult(f'The result of the step "{reference.step}" has nothing at {reference.pointer!r:.100}.')

    def _value(self, step: str, way: Sequence[str]) -> Any:
        """Raises Nowhere if the step has no result, or the tokens lead to nothing in it."""
        before = self._ended(step)
        if before.status != "ok":
            raise Nowhere(step)
        return value_at(before.result, way)

    def _ended(self, step: str) -> Ended:
        ended = self.ended[self._numbers[step]]
        assert ended is not None  # noqa: S101 - whatever looks at it comes after it
        return ended


class _Measured:
    """Gives values for references, as long as all of them together are not too much. What was measured once, such as a
    result that many references name, is not measured again."""

    def __init__(self, given: Callable[[Reference], Any]) -> None:
        self._given = given
        self._characters, self._values = MAX_GIVEN_CHARACTERS, MAX_GIVEN_VALUES
        self._known: dict[tuple[str, Sequence[str]], tuple[int, int]] = {}

    def __call__(self, reference: Reference) -> Any:
        value = self._given(reference)
        what = (reference.step, reference.way)
        if what not in self._known:
            self._known[what] = (characters(value), _values(value, MAX_GIVEN_VALUES))
        size, values = self._known[what]
        self._characters -= size
        self._values -= values
        if self._characters < 0 or self._values < 0:
            raise _TooMuchGiven
        return value


def characters(value: Any) -> int:
    """The length of the value, or of the model, as JSON."""
    return len(to_json(value).decode())


def _values(value: Any, most: int) -> int:
    """How many values are in it, itself included; no further than one more than `most`."""
    number, waiting = 0, [value]
    while waiting and number <= most:
        each = waiting.pop()
        number += 1
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()
    return number


def _became(ended: Ended) -> str:
    return "has failed" if ended.status == "failed" else "was skipped"


def is_equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 and 1.0 are, 1 and true are not (JSON Schema Core, 4.2.2)."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(each, other[name]) for name, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return bool(one == other)
