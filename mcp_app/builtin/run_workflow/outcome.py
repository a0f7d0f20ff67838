"""What becomes of a workflow and of each of its steps, as callers get it. Models, and nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue


class StepError(BaseModel):
    """The error with which a call of a tool ended."""

    code: str
    message: str
    hint: str = ""
    details: list[dict[str, str]] = []
    error_id: str | None = None


class _Ended(BaseModel):
    kind: Literal["step"] = "step"
    id: str
    tool: str


class OkStep(_Ended):
    """The tool has returned."""

    status: Literal["ok"] = "ok"
    attempts: int
    seconds: float
    result: JsonValue = Field(description="What the tool returned, or what was selected of it; null if left out.")
    left_out: int | None = Field(None, description="Characters of the result, as JSON, where it is not here.")


class FailedStep(_Ended):
    """The tool has failed, and the workflow went on."""

    status: Literal["failed"] = "failed"
    attempts: int
    seconds: float
    error: StepError


class SkippedStep(_Ended):
    """The tool was not called."""

    status: Literal["skipped"] = "skipped"
    attempts: Literal[0] = 0
    seconds: Literal[0] = 0
    reason: str


EndedStep = Annotated[OkStep | FailedStep | SkippedStep, Field(discriminator="status")]


class Workflow(BaseModel):
    """What became of every step, in the order in which they were written."""

    kind: Literal["workflow"] = "workflow"
    steps: list[EndedStep]
    truncated: bool = Field(description="Whether something that was asked for is left out: `notice` says what.")
    notice: str | None = Field(description="What was left out, and how to ask for it.")
