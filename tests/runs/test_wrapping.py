"""`@around`: what a function around a call sees, may change and refuse, and what becomes of what it does wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Annotated, Any

import pytest
from loop_clock import on_loop_clock
from pydantic import AfterValidator, BaseModel, Field
from runs_stage import Stage, error_of, read_to_end, settle, shown

from mcp_app import (
    Around,
    Call,
    Context,
    Depends,
    Image,
    Result,
    Settings,
    ToolDefinitionError,
    ToolError,
    around,
    create_app,
    errors,
    prompt,
    tool,
)
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.policy import MCP_2026_07_28, MCP_TASK, PLAIN_DETACHED, PLAIN_POST, Policy

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@tool
async def double(n: int, ctx: Context) -> int:
    await ctx.progress(1, 2)
    return 2 * n


@tool
def double_there(n: int, ctx: Context) -> int:
    ctx.progress(1, 2)
    return 2 * n


async def end_of(stage: Stage, made: Any, arguments: dict[str, Any] | None = None, policy: Policy = PLAIN_POST) -> Any:
    run = await stage.start(made, policy, arguments)
    return shown((await read_to_end(run.attach()))[-1])


# --- what it sees ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [double, double_there])
@pytest.mark.parametrize(
    ("policy", "dialect"),
    [(PLAIN_POST, "plain"), (PLAIN_DETACHED, "plain"), (MCP_2026_07_28, "mcp"), (MCP_TASK, "mcp")],
)
async def test_it_sees_the_call_and_how_it_ended(made: Any, policy: Policy, dialect: str) -> None:
    seen: list[Any] = []

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        assert (call.code, call.events) == (None, 0)
        result = await proceed()
        seen.append((call.tool, dict(call.arguments), call.principal, call.dialect, call.path, call.code, call.events))
        assert call.seconds >= 0
        seen.append(result)
        return result

    async with Stage(arounds=[audit]) as stage:
        assert (await end_of(stage, made, {"n": 4}, policy))["data"] == 8
    assert seen == [(made, {"n": 4}, "anonymous", dialect, (), "complete", 1), 8]


async def test_they_stand_in_order_and_each_is_once() -> None:
    seen: list[str] = []

    def named(name: str) -> Around:
        @around
        async def each(call: Call, proceed: Any) -> Any:
            seen.append(f"{name} before")
            result = await proceed()
            seen.append(f"{name} after")
            return result + 1

        return each

    async with Stage(arounds=[named("first"), named("second"), named("third")]) as stage:
        assert (await end_of(stage, double, {"n": 1}))["data"] == 5
    order = ["first", "second", "third"]
    assert seen == [*(f"{each} before" for each in order), *(f"{each} after" for each in reversed(order))]


async def test_steps_are_calls_as_well() -> None:
    seen: list[Any] = []

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        result = await proceed()
        seen.append((call.path, call.tool.name, call.code, call.dialect, result))
        return result

    @tool
    async def calls(ctx: Context) -> list[Any]:
        return [await ctx.call(double, n=1), await ctx.call(many, to=2)]

    async with Stage(arounds=[audit]) as stage:
        assert (await end_of(stage, calls, policy=MCP_2026_07_28))["data"] == [2, [0, 1]]
    assert seen == [
        (("double",), "double", "complete", "mcp", 2),
        (("many",), "many", "complete", "mcp", None),
        ((), "calls", "complete", "mcp", [2, [0, 1]]),
    ]


class Gone(ToolError):
    code = "gone"


@tool
async def refuses() -> None:
    raise Gone("There is none.")


@tool
def breaks() -> None:
    raise LookupError("a secret")


@tool
async def calls_refuses(ctx: Context) -> None:
    await ctx.call(refuses)


@pytest.mark.parametrize(("made", "raised", "code"), [(refuses, Gone, "gone"), (breaks, LookupError, "tool_failed")])
async def test_an_error_reporter_gets_what_the_tool_raised(
    made: Any, raised: type[Exception], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[Any] = []

    @around
    async def report(call: Call, proceed: Any) -> Any:
        try:
            return await proceed()
        except Exception as error:
            reported.append((type(error), call.code))
            raise

    async with Stage(arounds=[report, report]) as stage:
        error = error_of(await stage.told(made))
    assert error["code"] == code
    assert reported == [(raised, code)] * 2
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == (made is breaks)


@on_loop_clock
async def test_it_sees_that_a_call_was_cancelled_and_why() -> None:
    seen: list[Any] = []

    @tool(time_limit=20)
    async def waits() -> None:
        await asyncio.sleep(1000)

    @tool(time_limit=10)
    async def waits_less() -> None:
        await asyncio.sleep(1000)

    @tool
    async def calls(ctx: Context) -> None:
        with pytest.raises(errors.TimeCap):
            await ctx.call(waits_less)

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        try:
            return await proceed()
        finally:
            seen.append((call.tool.name, call.code, call.seconds))

    async with Stage(arounds=[audit]) as stage:
        run = await stage.start(waits)
        await asyncio.sleep(3)
        run.stop(Cancelled("enough"))
        await run.stopped()
        assert error_of(await stage.told(waits))["code"] == "time_cap"
        await settle()
        await stage.told(calls)
    assert seen == [
        ("waits", "cancelled", 3),
        ("waits", "time_cap", 20),
        ("waits_less", "time_cap", 10),
        ("calls", "complete", 10),
    ]


# --- arguments -------------------------------------------------------------------------------------------------------


@tool
async def show(day: date, limit: Annotated[int, Field(ge=1)] = 5, name: Annotated[str, Field(alias="as")] = "x") -> str:
    return f"{day.isoformat()} {limit} {name}"


async def test_what_is_set_is_validated_and_used() -> None:
    @around
    async def change(call: Call, proceed: Any) -> Any:
        assert list(call.arguments) == ["day", "limit", "name"]
        call.arguments["day"] = "2026-01-02"
        call.arguments.update(limit=7, name="y")
        for name, wrong in (("limit", 0), ("limit", "many"), ("day", "some day")):
            with pytest.raises(errors.InvalidParams, match=f"{name} of the tool show cannot be set to this: "):
                call.arguments[name] = wrong
        with pytest.raises(KeyError, match="show has the parameters day, limit, name"):
            call.arguments["as"] = "z"
        with pytest.raises(TypeError, match="limit cannot be taken away from the tool show"):
            del call.arguments["limit"]
        assert call.arguments["day"] == date(2026, 1, 2)
        return await proceed()

    async with Stage(arounds=[change]) as stage:
        arguments = show.arguments({"day": "2026-05-05", "as": "z"})
        assert (await end_of(stage, show, arguments))["data"] == "2026-01-02 7 y"


async def test_what_is_not_set_is_not_validated_again() -> None:
    @tool
    async def once(text: Annotated[str, AfterValidator(lambda text: f"<{text}>")], n: int = 1) -> str:
        return f"{text} {n}"

    @around
    async def change(call: Call, proceed: Any) -> Any:
        call.arguments["n"] = 2
        return await proceed()

    async with Stage(arounds=[change]) as stage:
        assert (await end_of(stage, once, once.arguments({"text": "a"})))["data"] == "<a> 2"


async def test_arguments_that_are_one_model() -> None:
    class Range(BaseModel):
        low: int
        high: int

    @tool(parameters=Range)
    async def width(within: Range) -> int:
        return within.high - within.low

    @around
    async def change(call: Call, proceed: Any) -> Any:
        assert list(call.arguments) == ["within"]
        call.arguments["within"] = {"low": 1, "high": call.arguments["within"].high}
        return await proceed()

    async with Stage(arounds=[change]) as stage:
        assert (await end_of(stage, width, width.arguments({"low": 0, "high": 9})))["data"] == 8


async def test_what_a_tool_depends_on_is_no_argument_and_follows_what_is_set() -> None:
    async def take(name: str) -> str:
        return name.upper()

    @tool
    async def needs(name: str, conn: Annotated[str, Depends(take)]) -> str:
        return conn

    @around
    async def change(call: Call, proceed: Any) -> Any:
        assert dict(call.arguments) == {"name": "a"}
        call.arguments["name"] = "b"
        return await proceed()

    async with Stage(arounds=[change]) as stage:
        assert (await end_of(stage, needs, {"name": "a"}))["data"] == "B"


async def test_a_validator_that_fails_fails_the_call_where_it_proceeds() -> None:
    def broken(value: int) -> int:
        raise LookupError("a secret")

    @tool
    async def made(n: Annotated[int, AfterValidator(broken)]) -> int:
        return n

    seen: list[Any] = []

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        assert dict(call.arguments) == {}
        try:
            return await proceed()
        finally:
            seen.append(call.code)

    async with Stage(arounds=[audit]) as stage:
        run = await stage.runs.start(made, made.arguments({"n": 1}), PLAIN_POST, access=ANONYMOUS, headers={})
        assert shown((await read_to_end(run.attach()))[-1])["data"]["message"] == "The tool made failed."
    assert seen == ["tool_failed"]


# --- results ---------------------------------------------------------------------------------------------------------


@tool
async def many(to: int) -> AsyncIterator[int]:
    for n in range(to):
        yield n


@tool
def many_with_result(to: int) -> Iterator[int | Result[str]]:
    yield from range(to)
    yield Result("counted")


@pytest.mark.parametrize(("made", "result"), [(many, None), (many_with_result, "counted")])
async def test_a_generators_items_flow_and_its_result_comes(made: Any, result: Any) -> None:
    seen: list[Any] = []

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        found = await proceed()
        seen.append((found, call.events))
        return found

    async with Stage(arounds=[audit, audit]) as stage:
        run = await stage.start(made, arguments={"to": 3})
        entries = [shown(each) for each in await read_to_end(run.attach())]
    assert [each["data"] for each in entries[1:-1]] == [0, 1, 2]
    assert entries[-1]["data"] == result
    assert entries[-1]["meta"].get("items") == (3 if result is None else None)
    assert seen == [(result, 3)] * 2


async def test_what_is_beside_a_result_comes_through() -> None:
    @tool
    async def rich() -> Result[int]:
        return Result(1, text="one", content=Image(PNG), meta={"com.example/a": 1})

    @around
    async def audit(call: Call, proceed: Any) -> Any:
        result = await proceed()
        assert isinstance(result, Result)
        result.data += 1
        return result

    async with Stage(arounds=[audit, audit]) as stage:
        end = await end_of(stage, rich)
    assert end["data"] == 3
    assert end["meta"]["beside"]["text"] == "one"


async def test_without_proceeding_what_it_returns_is_the_result() -> None:
    called: list[int] = []

    @tool
    async def never(n: int) -> list[int]:
        called.append(n)
        return [n]

    @around
    async def instead(call: Call, proceed: Any) -> Any:
        return (1, 2)

    async with Stage(arounds=[instead]) as stage:
        assert (await end_of(stage, never, {"n": 1}))["data"] == [1, 2]
    assert called == []


@pytest.mark.parametrize("wrong", ["four", None, object()])
@pytest.mark.parametrize("outermost", [True, False])
async def test_what_it_returns_is_validated_as_the_tools(wrong: Any, outermost: bool) -> None:
    @around
    async def passes(call: Call, proceed: Any) -> Any:
        return await proceed()

    @around
    async def spoils(call: Call, proceed: Any) -> Any:
        await proceed()
        return wrong

    async with Stage(arounds=[spoils, passes] if outermost else [passes, spoils]) as stage:
        error = error_of(await stage.told(one))
    assert error["message"].startswith("The tool one returned what it does not declare: ")
    assert error["message"].endswith("It is what spoils returned, which is around the tool.")


@tool
async def one() -> int:
    return 1


async def test_what_is_lazy_is_not_returned_on_the_loop() -> None:
    @around
    async def lazy(call: Call, proceed: Any) -> Any:
        return (n for n in "ab")

    @tool
    async def letters() -> list[str]:
        return []

    async with Stage(arounds=[lazy]) as stage:
        assert "would work on the event loop" in error_of(await stage.told(letters))["message"]


# --- refusing and failing --------------------------------------------------------------------------------------------


async def test_a_tool_error_refuses_the_call() -> None:
    @around
    async def check(call: Call, proceed: Any) -> Any:
        raise Gone("Not for you.", hint="Ask somebody.")

    async with Stage(arounds=[check]) as stage:
        assert error_of(await stage.told(one)) == {"code": "gone", "message": "Not for you.", "hint": "Ask somebody."}


async def test_any_other_exception_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    @around
    async def broken(call: Call, proceed: Any) -> Any:
        await proceed()
        raise LookupError("a secret")

    async with Stage(arounds=[broken]) as stage:
        error = error_of(await stage.told(one))
    assert (error["code"], error["message"]) == ("tool_failed", "The tool one failed.")
    assert "a secret" in caplog.text


async def test_proceed_works_once(caplog: pytest.LogCaptureFixture) -> None:
    @around
    async def twice(call: Call, proceed: Any) -> Any:
        await proceed()
        return await proceed()

    async with Stage(arounds=[twice]) as stage:
        assert error_of(await stage.told(one))["message"] == "The tool one failed."
    assert "called proceed twice: a tool runs once for a call" in caplog.text


async def test_a_forgotten_await_of_proceed_is_found() -> None:
    @around
    async def forgets(call: Call, proceed: Any) -> Any:
        proceed()
        return 1

    @around
    async def forgets_and_raises(call: Call, proceed: Any) -> Any:
        proceed()
        raise Gone("no")

    async with Stage(arounds=[forgets]) as stage:
        message = error_of(await stage.told(one))["message"]
        assert "forgets around the tool one called proceed and did not await it" in message
    async with Stage(arounds=[forgets_and_raises]) as stage:
        assert error_of(await stage.told(one))["code"] == "gone"


@on_loop_clock
async def test_what_it_proceeded_to_does_not_outlive_it() -> None:
    ended: list[str] = []

    @tool
    async def waits() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("waits")

    @around
    async def leaves(call: Call, proceed: Any) -> Any:
        kept.append(asyncio.create_task(proceed()))
        await asyncio.sleep(1)

    kept: list[asyncio.Task[Any]] = []
    async with Stage(arounds=[leaves]) as stage:
        assert "called proceed and did not await it" in error_of(await stage.told(waits))["message"]
        assert ended == ["waits"]


@on_loop_clock
async def test_its_cap_is_the_runs() -> None:
    @around
    async def waits(call: Call, proceed: Any) -> Any:
        result = await proceed()
        await asyncio.sleep(1000)
        return result

    async with Stage(arounds=[waits], cap_seconds=10) as stage:
        assert error_of(await stage.told(one))["code"] == "time_cap"


async def test_prompts_and_resources_have_nothing_around_them() -> None:
    @around
    async def never(call: Call, proceed: Any) -> Any:
        raise AssertionError

    @prompt
    def hello() -> str:
        return "hello"

    async with Stage(arounds=[never]) as stage:
        run = await stage.runs.start(hello, {}, PLAIN_POST, access=ANONYMOUS, headers={})
        assert shown((await read_to_end(run.attach()))[-1])["type"] == "complete"


# --- definition ------------------------------------------------------------------------------------------------------


def plain(call: Call, proceed: Any) -> Any: ...
async def yields(call: Call, proceed: Any) -> Any:
    yield


async def too_few(call: Call) -> Any: ...
async def too_many(call: Call, proceed: Any, more: int) -> Any: ...
async def right(call: Call, proceed: Any, more: int = 1) -> Any:
    return await proceed()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (plain, "plain (line .*this one is a plain function. Write it with async def"),
        (yields, "yields (line .*this one yields"),
        (too_few, r"too_few (line .*too many positional arguments.*write `async def too_few\(call, proceed\)`"),
        (too_many, "too_many (line .*missing a required argument: 'more'"),
        (around(right), "is not a function: @around goes on a function, once"),
        (Call, "is not a function"),
        (5, "5 is not a function"),
    ],
)
def test_what_cannot_be_around_is_refused_where_it_is_defined(function: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=said.replace("(line", r"\(line")):
        around(function)


async def test_an_around_is_called_like_its_function() -> None:
    made: Callable[..., Any] = around(right)

    async def proceed() -> int:
        return 5

    assert await made(None, proceed) == 5
    assert around(right).where.startswith("test_wrapping.right (line ")


async def test_methods_of_objects_are_arounds() -> None:
    class Audit:
        def __init__(self) -> None:
            self.seen: list[str] = []

        async def line(self, call: Call, proceed: Any) -> Any:
            self.seen.append(call.tool.name)
            return await proceed()

        async def __call__(self, call: Call, proceed: Any) -> Any:
            return await self.line(call, proceed)

    audit = Audit()
    async with Stage(arounds=[around(audit.line), around(audit)]) as stage:
        assert (await end_of(stage, one))["data"] == 1
    assert audit.seen == ["one", "one"]


def test_an_application_takes_them_each_once() -> None:
    made = around(right)
    app = create_app(Settings(), [one], around=[made, made])
    assert app.extensions["mcp_app"].arounds == (made,)
    with pytest.raises(ToolDefinitionError, match="is not made by @around: decorate the function with it"):
        create_app(Settings(), [one], around=[right])  # type: ignore[list-item]
