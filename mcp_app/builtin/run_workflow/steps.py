"""What a caller writes: the steps of a workflow, as pydantic models. Nothing is checked here across steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

MAX_STEPS = 100
"""Of one workflow. Each may be as dear as a call by a client, and a run may make 1,000 calls, those of retries and of
the steps' own included."""

MAX_ATTEMPTS = 5
"""Of one step. With the back-off doubled each time, more would wait for longer than a run may take."""

MAX_WAIT_SECONDS = 60.0
"""Between two attempts."""

StepId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
        max_length=64,
        description="Names the step in references, in progress and in the result.",
        examples=["prices"],
    ),
]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_COMPARISONS = {"exists": "exists", "equals": "equals", "not_": "not"}
"""Each field of a condition that compares, and its name for callers."""


def _exactly_one(schema: dict[str, Any]) -> None:
    """List what is taken: no comparison has a default, and one is required."""
    for name in _COMPARISONS.values():
        del schema["properties"][name]["default"]
    schema["oneOf"] = [{"required": [name]} for name in _COMPARISONS.values()]


class Condition(_Written):
    """What is looked at, and one comparison. Its members are listed, so that none begins with the `$` of a reference:
    there are models to whom no tool with such a name can be given."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    step: str = Field(alias="from", description="The step whose result is looked at; it ends before.")
    pointer: str = Field("", description="JSON Pointer (RFC 6901) into its result; empty for all of it.")
    exists: bool = Field(True, description="Whether there is a value; false also if the step has no result.")
    equals: JsonValue = Field(None, description="The value is there, and equal to this as JSON.")
    not_: JsonValue = Field(None, alias="not", description="The value is not there, or differs from this.")

    @model_validator(mode="after")
    def _one_comparison(self) -> Condition:
        if len(self.comparisons) != 1:
            raise ValueError(f"a condition has exactly one of {', '.join(_COMPARISONS.values())}")
        return self

    @property
    def comparisons(self) -> list[str]:
        """Those that are written: `equals` may be null."""
        return [name for name in _COMPARISONS if name in self.model_fields_set]


class Retry(_Written):
    """To call the tool again when it fails, where that is safe."""

    attempts: int = Field(3, ge=2, le=MAX_ATTEMPTS, description="Calls in all, the first one included.")
    seconds: float = Field(
        1.0,
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="Before the second call; doubled for each further one, and drawn from half of it up.",
    )
    on: list[str] | None = Field(
        None, min_length=1, max_length=20, description="Codes of errors; without it each that may be retried."
    )


class Step(_Written):
    """One call of a tool."""

    id: StepId
    tool: str = Field(min_length=1, max_length=128, description="The name of the tool that is called.")
    params: dict[str, JsonValue] = Field(
        default_factory=dict,
        description=(
            'Its parameters. An object {"$from": "STEP", "pointer": "/a/0"} anywhere in them stands for a value of '
            'that step\'s result, with "default" for where there is none; {"$literal": …} is data as it is.'
        ),
        examples=[{"text": {"$from": "prices", "pointer": "/0/name"}}],
    )
    needs: list[str] = Field(
        default_factory=list,
        max_length=MAX_STEPS,
        description="Further steps that end before, besides those that params and if refer to.",
    )
    if_: Condition | None = Field(
        None,
        alias="if",
        description="The step is skipped unless this holds.",
        examples=[{"from": "a", "exists": True}],
    )
    retry: Retry | None = Field(None, description="For tools that are read-only or idempotent.")
    time_limit: float | None = Field(None, gt=0, le=86_400, description="Seconds for each call of the tool.")
    on_error: Literal["fail", "skip_dependants", "continue"] = Field(
        "fail",
        description=(
            "fail: the workflow ends with the error; skip_dependants: what needs the step is skipped, and the rest "
            "goes on; continue: what names it in needs goes on, too."
        ),
    )


class Selection(_Written):
    """What of one step's result is wanted."""

    step: str = Field(alias="from", description="The step.")
    pointer: str = Field("", description="JSON Pointer (RFC 6901) into its result; empty for all of it.")


Results = list[str | Selection]


def selected(results: Results | None) -> list[Selection] | None:
    """Each as a selection; None where all steps are wanted."""
    if results is None:
        return None
    return [Selection.model_validate({"from": each}) if isinstance(each, str) else each for each in results]
