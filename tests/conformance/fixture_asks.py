"""The part of fixture.py that asks the client: elicitation, sampling, roots. One code for all revisions of MCP."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_app import Context, Titled, prompt, tool


class User(BaseModel):
    username: Annotated[str, Field(description="User's response")]
    email: Annotated[str, Field(description="User's email address")]


class Name(BaseModel):
    name: str


class Colour(BaseModel):
    color: str


class Confirmation(BaseModel):
    ok: bool


class Background(BaseModel):
    context: str


class Defaults(BaseModel):
    """One property of each kind that has a default (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


Option = Literal["option1", "option2", "option3"]
Value = Annotated[
    Literal["value1", "value2", "value3"],
    Titled({"value1": "First Option", "value2": "Second Option", "value3": "Third Option"}),
]
NAMES_OF_OLD = ["Option One", "Option Two", "Option Three"]


class Enums(BaseModel):
    """The five shapes of a choice (SEP-1330)."""

    untitledSingle: Option  # noqa: N815 - the suite's names
    titledSingle: Value  # noqa: N815
    legacyEnum: Annotated[  # noqa: N815
        Literal["opt1", "opt2", "opt3"], Field(json_schema_extra={"enumNames": list(NAMES_OF_OLD)})
    ]
    untitledMulti: list[Option]  # noqa: N815
    titledMulti: list[Value]  # noqa: N815


# --- asked for by the scenarios of 2025-11-25 ------------------------------------------------------------------------


@tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Ask the client's model."""
    sample = await ctx.sample(prompt, max_tokens=100)
    return f"LLM response: {sample.text}"


@tool
async def test_elicitation(message: str, ctx: Context) -> str:
    """Ask the user who they are."""
    user = await ctx.ask(User, message)
    return f"User response: accept, {user.model_dump_json()}"


@tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask with defaults."""
    answer = await ctx.ask(Defaults, "Please review and update the form fields with defaults")
    return f"Elicitation completed: accept, {answer.model_dump_json()}"


@tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask for choices."""
    answer = await ctx.ask(Enums, "Please select options from the enum fields")
    return f"Elicitation completed: accept, {answer.model_dump_json()}"


# --- asked for by the scenarios of 2026-07-28 ------------------------------------------------------------------------


@tool
async def test_missing_capability(ctx: Context) -> str:
    """Need a client that samples."""
    sample = await ctx.sample("Say something.", max_tokens=10)
    return f"The client can sample: {sample.text}"


@tool
async def test_streaming_elicitation(ctx: Context) -> str:
    """Ask, where the client can be asked."""
    if not ctx.can("elicitation"):
        return "This client cannot be asked."
    return f"Hello, {(await ctx.ask(Name, 'What is your name?')).name}!"


@tool
async def test_input_required_result_elicitation(ctx: Context) -> str:
    """Ask for a name."""
    answer = await ctx.ask(Name, "What is your name?", key="user_name")
    return f"Hello, {answer.name}!"


@tool
async def test_input_required_result_sampling(ctx: Context) -> str:
    """Ask the client's model for a capital."""
    sample = await ctx.sample("What is the capital of France?", max_tokens=100, key="capital_question")
    return f"The model said: {sample.text}"


@tool
async def test_input_required_result_list_roots(ctx: Context) -> str:
    """Ask for the client's roots."""
    roots = await ctx.roots(key="client_roots")
    return f"Roots: {', '.join(root.uri for root in roots)}"


@tool
async def test_input_required_result_request_state(ctx: Context) -> str:
    """Ask, and go on from the state that the client brings back."""
    await ctx.ask(Confirmation, "Please confirm", key="confirm")
    return "state-ok: the state came back unchanged."


@tool
async def test_input_required_result_multiple_inputs(ctx: Context) -> str:
    """Ask for three things at once."""
    user, greeting, roots = await asyncio.gather(
        ctx.ask(Name, "What is your name?", key="user_name"),
        ctx.sample("Generate a greeting", max_tokens=50, key="greeting"),
        ctx.roots(key="client_roots"),
    )
    return f"{greeting.text} {user.name}: {len(roots)} roots"


@tool
async def test_input_required_result_multi_round(ctx: Context) -> str:
    """Ask for one thing, then for another."""
    first = await ctx.ask(Name, "Step 1: What is your name?", key="step1")
    second = await ctx.ask(Colour, "Step 2: What is your favorite color?", key="step2")
    return f"{first.name} likes {second.color}."


@tool
async def test_input_required_result_tampered_state(ctx: Context) -> str:
    """Ask, and refuse a state that was changed on its way."""
    answer = await ctx.ask(Confirmation, "Please confirm", key="confirm")
    return f"Confirmed: {answer.ok}"


@tool
async def test_input_required_result_capabilities(ctx: Context) -> str:
    """Ask for what this client can be asked for."""
    asked = []
    if ctx.can("sampling"):
        asked.append((await ctx.sample("What is the capital of France?", max_tokens=100)).text)
    if ctx.can("elicitation"):
        asked.append((await ctx.ask(Name, "What is your name?")).name)
    return f"Asked for: {asked}"


@prompt
async def test_input_required_result_prompt(ctx: Context) -> str:
    """Ask for the context of a prompt."""
    answer = await ctx.ask(Background, "What context should the prompt use?", key="user_context")
    return f"Use this context: {answer.context}"
