"""The tool `run_workflow`: a workflow is checked whole, then run.

What a workflow is, and what becomes of it, is said in the files beside this one.
"""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import Annotated

from pydantic import Field

from mcp_app import Context, ToolError, errors, tool
from mcp_app.builtin.run_workflow.checking import Tools, check
from mcp_app.builtin.run_workflow.outcome import Workflow
from mcp_app.builtin.run_workflow.plan import Course
from mcp_app.builtin.run_workflow.references import Problem
from mcp_app.builtin.run_workflow.report import Report
from mcp_app.builtin.run_workflow.running import Running
from mcp_app.builtin.run_workflow.steps import MAX_STEPS, Results, Step, selected

MAX_CHARACTERS = 100_000
"""Of the result, if the caller says nothing: what an agent can still read."""

_MOST_CHARACTERS = 1_000_000
"""More is no longer one event."""

_ERROR_CHARACTERS = 20_000
"""Of results within the error of a workflow that failed."""

_MAX_PROBLEMS = 500
"""That are named at once: five for each step. An error has half of an event."""

_AT_WORK: ContextVar[bool] = ContextVar("_AT_WORK", default=False)
"""Whether a workflow is at work above this one. Its steps, and what they call, inherit it."""


class InvalidWorkflow(ToolError):
    """The workflow was checked, and no step has begun."""

    code = "invalid_workflow"
    status = 422


class StepFailed(ToolError):
    """A step has failed whose `on_error` is `fail`."""

    code = "step_failed"


@tool(title="Run a workflow", destructive=True, open_world=True)
async def run_workflow(
    ctx: Context,
    steps: Annotated[list[Step], Field(min_length=1, max_length=MAX_STEPS, description="At most 100, in any order.")],
    results: Annotated[
        Results | None,
        Field(
            max_length=MAX_STEPS,
            description='Ids of the steps whose results are wanted, or {"from": id, "pointer": …}; all if left out.',
        ),
    ] = None,
    max_characters: Annotated[
        int, Field(ge=1000, le=_MOST_CHARACTERS, description="Of the whole result, as JSON.")
    ] = MAX_CHARACTERS,
) -> Workflow:
    """Run several tools in one call, each as soon as what it needs is there, and return what became of each.

    A step takes something of an earlier step's result by {"$from": "id", "pointer": "/rows/0"} in its params, and then
    comes after it. Steps that do not wait for each other work at the same time, up to ten. The workflow is checked
    whole before the first tool is called, and all mistakes are named at once. Nothing is evaluated: there are no
    expressions.
    """
    tools = ctx.tools
    if _AT_WORK.get():
        raise InvalidWorkflow(
            "A tool that a workflow calls has called run_workflow: workflows are not run within each other.",
            hint="Write the steps of both as one workflow.",
        )
    selections = selected(results)
    problems = check(steps, tools, _own(tools), selections, max_characters)
    if problems:
        raise _invalid(problems)
    needed = frozenset[str]().union(*(tools[step.tool].scopes for step in steps))
    if ctx.scopes is not None and not needed <= ctx.scopes:
        raise errors.InsufficientScope(needed)
    report = Report(steps, selections, max_characters)
    course = Course(steps, _widths(tools))
    before = _AT_WORK.set(True)
    try:
        await Running(ctx, course, report, tools, random.random).run()
    finally:
        _AT_WORK.reset(before)
    if (failed := course.failed) is not None:
        raise _failed(steps, course, report, failed)
    return report.workflow()


def _own(tools: Tools) -> set[str]:
    """The names under which this tool is offered."""
    return {name for name, each in tools.items() if each.function is run_workflow.function}


def _widths(tools: Tools) -> dict[str, int]:
    """How many calls of a tool work at once, where all of its calls wait in one queue: more steps would only stand in
    it, in the place of others that could work."""
    return {name: each.at_once.calls for name, each in tools.items() if each.at_once and each.at_once.per is None}


def _invalid(problems: list[Problem]) -> InvalidWorkflow:
    details = [
        {"field": ".".join(str(each)[:64] for each in place), "problem": problem[:500]}
        for place, problem in problems[:_MAX_PROBLEMS]
    ]
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    first = details[0]
    return InvalidWorkflow(
        f"The workflow has {count}, and no step has begun. {first['field']}: {first['problem'].rstrip('.?')}.",
        hint="Correct all of them, and call again." if len(problems) > 1 else "Correct it, and call again.",
        details=details,
    )


def _failed(steps: list[Step], course: Course, report: Report, failed: int) -> StepFailed:
    ended = course.ended[failed]
    assert ended is not None  # noqa: S101 - it has failed
    assert ended.error is not None  # noqa: S101 - likewise
    step, error = steps[failed], ended.error
    return StepFailed(
        f'The step "{step.id}" (tool {step.tool}) has failed: {error.message}',
        hint=f"{error.hint} With on_error the workflow goes on without it.".lstrip(),
        details=report.failure(failed, course.working, _ERROR_CHARACTERS),
        error_id=error.error_id,
    )
