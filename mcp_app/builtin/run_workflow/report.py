"""The result of a workflow within its bound: each step's result as long as there is room, and what was left out.

Nothing is cut in the middle: JSON that lost its end says something else. Nothing is called or sent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import to_json

from mcp_app import errors
from mcp_app.builtin.run_workflow.graph import links, references
from mcp_app.builtin.run_workflow.outcome import EndedStep, FailedStep, OkStep, SkippedStep, StepError, Workflow
from mcp_app.builtin.run_workflow.plan import Ended, characters
from mcp_app.builtin.run_workflow.pointers import Nowhere, tokens, value_at
from mcp_app.builtin.run_workflow.steps import Selection, Step

MAX_NAMED = 4
"""Steps that the notice names, of those whose results are left out. The others say so themselves."""

_NOTICE_CHARACTERS = 1200
"""A notice has fewer: ids have 64 at most."""

_AROUND_CHARACTERS = 100
"""What stands around the steps, without the notice, has fewer."""

_ENTRY_CHARACTERS = 420
"""A step without its result, its id and its tool has fewer, once its error is cut to `_SHORT`."""

_MESSAGE_CHARACTERS, _SHORT = 2000, 100
"""Of an error's message; the second where there is no room for the first."""

_SHORT_DETAIL = 500
"""The same in the error of a workflow, where a hundred may stand."""

_MAX_DETAILS = 10

_KEPT = 4
"""Times the bound of the result are kept of what may be in it, until all have ended and it is decided."""


def least_characters(steps: Sequence[Step]) -> int:
    """What the result of these steps may have when all results are left out: a bound may not be below that."""
    names = sum(characters(step.id) + characters(step.tool) for step in steps)
    return _NOTICE_CHARACTERS + _AROUND_CHARACTERS + names + _ENTRY_CHARACTERS * len(steps)


def step_error(error: errors.McpAppError) -> StepError:
    """The error of a call, bounded."""
    return StepError(
        code=error.code,
        message=_cut(error.message, _MESSAGE_CHARACTERS),
        hint=_cut(error.object()["hint"], 500),
        details=[{name: _cut(text, 500) for name, text in each.items()} for each in error.details[:_MAX_DETAILS]],
        error_id=error.error_id,
    )


class Report:
    """What will be said of the steps: what has ended is added, and of results only what can be shown is kept.

    `most` are the characters of the whole result; `selections` what is wanted of which step, None for all.
    """

    def __init__(self, steps: Sequence[Step], selections: Sequence[Selection] | None, most: int) -> None:
        self._steps = steps
        self._wanted = {step.id: "" for step in steps} if selections is None else {}
        self._wanted.update({each.step: each.pointer for each in selections or ()})
        self._most = most
        self._taken = {each.step for at, step in enumerate(steps) for each in links(at, step, references(at, step))}
        self._entries: list[EndedStep | None] = [None for _ in steps]
        self._sizes: dict[int, int] = {}
        """Characters of each result that is kept."""
        self._too_large: list[int] = []
        self._nowhere: list[int] = []

    def add(self, at: int, ended: Ended) -> EndedStep:
        """What became of a step; returns it as it is to be told now."""
        step = self._steps[at]
        entry: EndedStep
        if ended.status == "skipped":
            entry = SkippedStep(id=step.id, tool=step.tool, reason=ended.reason)
        elif ended.error is not None:
            entry = FailedStep(
                id=step.id, tool=step.tool, attempts=ended.attempts, seconds=ended.seconds, error=ended.error
            )
        else:
            entry = self._of_result(at, step, ended)
        self._entries[at] = entry
        self._forget_some()
        return entry

    def _of_result(self, at: int, step: Step, ended: Ended) -> OkStep:
        entry = OkStep(
            id=step.id,
            tool=step.tool,
            attempts=ended.attempts,
            seconds=ended.seconds,
            result=None,
            left_out=ended.characters,
        )
        pointer = self._wanted.get(step.id)
        if pointer is None:
            return entry
        size, value = ended.characters, ended.result
        if pointer:
            try:
                value = value_at(value, tokens(pointer))
            except Nowhere:
                self._nowhere.append(at)
                return entry
            size = characters(value)
        if size > self._most:
            self._too_large.append(at)
            return entry.model_copy(update={"left_out": size})
        self._sizes[at] = size
        return entry.model_copy(update={"result": value, "left_out": None})

    def _forget_some(self) -> None:
        """What is least important goes first."""
        while sum(self._sizes.values()) > _KEPT * self._most:
            at = self._by_importance()[-1]
            entry = self._entries[at]
            assert entry is not None  # noqa: S101 - it has a size
            self._entries[at] = self._without_result(at, entry)
            self._too_large.append(at)
            del self._sizes[at]

    def workflow(self) -> Workflow:
        """The result, when all has ended."""
        entries = [each for each in self._entries if each is not None]
        bare = [self._without_result(at, each) for at, each in enumerate(entries)]
        shortened = characters(_Steps(steps=bare)) + _NOTICE_CHARACTERS + _AROUND_CHARACTERS > self._most
        if shortened:
            bare = [_shortened(each) for each in bare]
        room = self._most - characters(_Steps(steps=bare)) - _AROUND_CHARACTERS
        left_out = [*self._too_large]
        if left_out or self._nowhere or shortened or sum(self._sizes.values()) > room:
            room -= _NOTICE_CHARACTERS
        for at in self._by_importance():
            if self._sizes[at] <= room:
                room -= self._sizes[at]
                bare[at] = entries[at]
            else:
                left_out.append(at)
        notice = self._notice(sorted(left_out), shortened=shortened)
        return Workflow(steps=bare, truncated=bool(left_out) or shortened, notice=notice)

    def _without_result(self, at: int, entry: EndedStep) -> EndedStep:
        if at not in self._sizes:
            return entry
        return entry.model_copy(update={"result": None, "left_out": self._sizes[at]})

    def _by_importance(self) -> list[int]:
        """Results that no other step takes first: what a workflow is for. Then the last before the first."""
        return sorted(self._sizes, key=lambda at: (self._steps[at].id in self._taken, -at))

    def _notice(self, left_out: Sequence[int], *, shortened: bool) -> str | None:
        said: list[str] = []
        if left_out:
            first = self._steps[left_out[0]].id
            said.append(
                f"The result has {self._most} characters at most, so that those of {self._named(left_out)} are left "
                f'out. To have one, call again with results ["{first}"], with a part of it, results '
                f'[{{"from": "{first}", "pointer": "/…"}}], or with larger max_characters: the steps are run again.'
            )
        if shortened:
            said.append("Messages of errors are cut.")
        if self._nowhere:
            said.append(f"What was selected is not in the results of {self._named(self._nowhere)}.")
        return " ".join(said) or None

    def _named(self, those: Sequence[int]) -> str:
        named = ", ".join(f'"{self._steps[at].id}"' for at in those[:MAX_NAMED])
        return f"{named} and {len(those) - MAX_NAMED} more" if len(those) > MAX_NAMED else named

    # --- when it fails -----------------------------------------------------------------------------------------------

    def failure(self, failed: int, working: Iterable[int], most: int) -> Sequence[Mapping[str, str]]:
        """What became of each step, as details of the error with which the workflow ends: the one that has failed
        first. Results of others are in it, in `most` characters, so that nothing that was done is lost."""
        cut = set(working)
        details = [self._detail(failed, _MESSAGE_CHARACTERS)]
        for at, entry in enumerate(self._entries):
            if at == failed:
                continue
            if entry is None:
                details.append(self._said(at, "was cut while it worked" if at in cut else "did not begin"))
            elif isinstance(entry, OkStep) and at in self._sizes and self._sizes[at] <= most:
                most -= self._sizes[at]
                details.append(self._said(at, f"is done: {to_json(entry.result).decode()}"))
            else:
                details.append(self._detail(at, _SHORT_DETAIL))
        return details

    def _detail(self, at: int, most_of_message: int) -> dict[str, str]:
        """Of a step that has ended, without its result."""
        entry = self._entries[at]
        if isinstance(entry, FailedStep):
            times = "1 attempt" if entry.attempts == 1 else f"{entry.attempts} attempts"
            message = _cut(entry.error.message, most_of_message)
            return self._said(at, f"failed in {times}: {entry.error.code}: {message}")
        if isinstance(entry, OkStep):
            size = self._sizes.get(at, entry.left_out)
            return self._said(at, f"is done, and its result of {size} characters is left out")
        assert entry is not None  # noqa: S101 - it has ended
        return self._said(at, f"was skipped: {entry.reason}")

    def _said(self, at: int, what: str) -> dict[str, str]:
        return {"field": f"steps.{at}", "problem": f'"{self._steps[at].id}" {what}'}


class _Steps(BaseModel):
    """To measure them as they will be sent."""

    steps: list[EndedStep]


def _shortened(entry: EndedStep) -> EndedStep:
    if not isinstance(entry, FailedStep):
        return entry
    error = entry.error
    short = StepError(code=error.code, message=_cut(error.message, _SHORT), error_id=error.error_id)
    return entry.model_copy(update={"error": short})


def _cut(text: str, most: int) -> str:
    """The beginning of the text that has at most so many characters as JSON, where a control character has six."""
    if len(text) <= most and characters(text) <= most + 2:
        return text
    kept = text[: most - 1]
    while characters(kept) > most + 1:
        kept = kept[: len(kept) * 3 // 4]
    return f"{kept}…"
