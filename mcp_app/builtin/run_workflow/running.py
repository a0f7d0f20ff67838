"""A workflow at work: calls the tools of the steps that are due, until all have ended or one has failed.

What is due, what is called again and what is told is decided in the pure parts; here is the loop, the clock and the
context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_app import Context, Tool, errors
from mcp_app.builtin.run_workflow.outcome import EndedStep, StepError
from mcp_app.builtin.run_workflow.plan import Course, Ended, Start, Stop, characters
from mcp_app.builtin.run_workflow.report import Report, step_error
from mcp_app.builtin.run_workflow.retrying import is_retried, wait_seconds
from mcp_app.builtin.run_workflow.rounds import Rounds
from mcp_app.builtin.run_workflow.steps import Step

MAX_HELD_CHARACTERS = 64 * 1024 * 1024
"""Of results that later steps still need: four of the largest. A workflow whose steps return so much would else fill
the memory of the server by itself."""

_TOO_MUCH = StepError(
    code="results_too_large",
    message=f"The results that later steps need would have more than {MAX_HELD_CHARACTERS} characters.",
    hint="Let the tools return less, or fewer steps wait for results at the same time.",
)
"""Of the step with which that would be exceeded."""

Chance = Callable[[], float]


class Running:
    """One run of one workflow. `chance` draws a number from 0 to 1."""

    def __init__(
        self, context: Context, course: Course, report: Report, tools: Mapping[str, Tool], chance: Chance
    ) -> None:
        self._context = context
        self._course = course
        self._report = report
        self._tools = tools
        self._chance = chance
        self._rounds = Rounds(context)
        self._held: dict[int, int] = {}
        """Characters of the results that later steps need."""
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Returns when every step has ended, or when one has failed with which the workflow ends: then those that were
        at work are cancelled, and have ended."""
        course, tasks = self._course, dict[int, asyncio.Task[None]]()
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for move in course.due():
                    tasks[move.at] = group.create_task(self._move(move), name=f"step {course.steps[move.at].id}")
                if course.failed is not None or not course.working:
                    break
                await self._changed.wait()
            for at in course.working:  # what has ended, and is being told, goes on
                tasks[at].cancel()

    async def _move(self, move: Start | Stop) -> None:
        part = self._part(move)
        if isinstance(move, Stop):
            await self._tell(part, self._report.add(move.at, move.ended))
            return
        entry = self._keep(move.at, await self._ended(move, part))
        self._changed.set()
        await self._tell(part, entry)

    def _part(self, move: Start | Stop, attempt: int = 1) -> Context:
        """The step's share of the progress, in the order in which they begin; `fetch#2` is its second attempt."""
        share, step = 100 / len(self._course.steps), self._course.steps[move.at].id
        name = step if attempt == 1 else f"{step}#{attempt}"
        return self._context.part(share * move.share, min(100.0, share * (move.share + 1)), name)

    def _tell(self, part: Context, entry: EndedStep) -> Awaitable[None]:
        """Its share of the progress is over: a call that succeeded has said so itself."""
        return part.partial(entry) if entry.status == "ok" else part.partial(entry, progress=1, total=1)

    def _keep(self, at: int, ended: Ended) -> EndedStep:
        """Remember what became of a step, as long as somebody needs it. Returns what is told of it."""
        for each in [each for each in self._held if not self._course.is_needed(each)]:
            del self._held[each]
            self._course.forget(each)
        if self._course.is_needed(at):
            self._held[at] = ended.characters
        if sum(self._held.values()) > MAX_HELD_CHARACTERS:
            del self._held[at]
            ended = Ended("failed", ended.attempts, ended.seconds, error=_TOO_MUCH)
        entry = self._report.add(at, ended)
        self._course.end(at, ended)
        if at not in self._held:
            self._course.forget(at)
        return entry

    # --- one step ----------------------------------------------------------------------------------------------------

    async def _ended(self, start: Start, part: Context) -> Ended:
        """What becomes of a step, or became of it in an earlier round of the call."""
        step = self._course.steps[start.at]
        known = await self._rounds.recall(step.id)
        if known is not None:
            return known
        began = asyncio.get_running_loop().time()
        attempts, outcome = await self._attempts(start, step, part)
        seconds = round(asyncio.get_running_loop().time() - began, 3)
        if isinstance(outcome, errors.McpAppError):
            ended = Ended("failed", attempts, seconds, error=step_error(outcome))
        else:
            ended = Ended("ok", attempts, seconds, result=outcome[0], characters=characters(outcome[0]))
        await self._rounds.remember(step.id, ended, repeatable=self._is_repeatable(step))
        return ended

    async def _attempts(self, start: Start, step: Step, part: Context) -> tuple[int, errors.McpAppError | tuple[Any]]:
        """How often the tool was called, and the last error, or the result in a tuple."""
        attempt = 1
        while True:
            try:
                return attempt, (await self._called(step, start.arguments, part),)
            except errors.McpAppError as error:
                seconds = self._seconds_until_next(step, error, attempt)
                if seconds is None:
                    return attempt, error
                said = f"attempt {attempt} failed with {error.code}: {error.message[:200]}; again in {seconds:.1f} s"
            await part.log("notice", said)
            await asyncio.sleep(seconds)
            attempt += 1
            part = self._part(start, attempt)

    async def _called(self, step: Step, arguments: Mapping[str, Any], part: Context) -> Any:
        """The tool's result as JSON. Raises McpAppError for all that may become of a call."""
        try:
            async with asyncio.timeout(step.time_limit):
                return await part.call_json(step.tool, arguments)
        except TimeoutError:  # of a tool's own it would be a ToolFailed
            what = f'The step "{step.id}" reached its time limit of {step.time_limit:g} seconds.'
            raise errors.TimeCap(what, hint="Allow more, or ask for less.") from None

    def _seconds_until_next(self, step: Step, error: errors.McpAppError, attempt: int) -> float | None:
        """None if the tool is not called again, also because the run would be over by then."""
        if step.retry is None or not is_retried(step.retry, error, attempt, repeatable=self._is_repeatable(step)):
            return None
        least = float(error.headers.get("Retry-After", 0))
        seconds = wait_seconds(step.retry, attempt, self._chance(), least)
        return seconds if seconds < self._context.seconds_left else None

    def _is_repeatable(self, step: Step) -> bool:
        tool = self._tools.get(step.tool)
        return tool is not None and (tool.read_only or tool.idempotent)
