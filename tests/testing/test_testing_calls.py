"""`mcp_app.testing`: calls, in each dialect and revision, and what comes of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import tested_tools
from tested_tools import OutOfStock

from mcp_app import (
    Call,
    Context,
    Depends,
    MissingCapability,
    Proceed,
    Registry,
    Settings,
    Shared,
    ToolError,
    around,
    create_app,
    errors,
    tool,
)
from mcp_app.loading.toolfile import ToolFileError
from mcp_app.testing import (
    CANCEL,
    DECLINE,
    ERAS,
    CompleteEvent,
    Era,
    ErrorEvent,
    LogEvent,
    NothingCame,
    ProgressEvent,
    Question,
    StartedEvent,
    client,
)

TOOLS = "tests/testing/tested_tools.py"
MCP: tuple[Era, ...] = tuple(era for era in ERAS if era != "plain")
STRUCTURED: tuple[Era, ...] = ("plain", "2026-07-28", "2025-11-25", "2025-06-18")
each_era = pytest.mark.parametrize("era", ERAS)
each_revision = pytest.mark.parametrize("era", MCP)


@pytest.mark.parametrize("era", STRUCTURED)
async def test_a_call_is_awaited_for_the_value_that_the_tool_returned(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        assert await c.run("add", a=1, b=2) == 3
        assert await c.run(tested_tools.steps, n=1) == {"n": 1}


@pytest.mark.parametrize("era", ["2025-03-26", "2024-11-05"])
async def test_revisions_without_structured_content_have_a_text(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        assert await c.run("add", a=1, b=2) == "3"


@each_era
async def test_events_are_typed_and_the_same_in_all_of_them(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("steps", n=2)
        events = [event async for event in run]
        assert [event async for event in run] == events == list(run.events)
    if era == "plain":
        started, *events = events
        assert isinstance(started, StartedEvent)
        assert (started.run, started.cap_seconds, started.heartbeat_seconds) == (run.id, 120, 15)
    first, second, line, part, last = events
    assert isinstance(first, ProgressEvent)
    assert (first.type, first.progress, first.total, first.message) == ("progress", 1, 2, "step 1")
    assert isinstance(second, ProgressEvent)
    assert second.message == "step 2"
    assert isinstance(line, LogEvent)
    assert (line.level, line.message, line.data) == ("warning", "nearly", {"left": 1})
    assert isinstance(part, ProgressEvent)
    assert part.data == {"part": 1}
    assert isinstance(last, CompleteEvent)
    assert run.result == last.data
    assert run.error is None


async def test_json_has_the_same_events() -> None:
    async with client(TOOLS, json=True) as c:
        run = c.run("steps", n=2)
        assert await run == {"n": 2}
        assert [event.type for event in run.events] == ["progress", "progress", "log", "progress", "complete"]
        for era in MCP[:-1]:
            assert await c.with_options(era=era).run("header", name="accept") == ("application/json")


@each_era
async def test_content_is_among_the_result(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("picture")
        [block] = await run
        assert run.content == [block]
        assert (block["type"], base64.b64decode(block["data"])) == ("image", tested_tools.PNG)


@each_era
async def test_what_a_tool_says_that_a_tool_calls_has_its_path(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("calling")
        assert await run == "said"
    half, part, line = (each for each in run.events if isinstance(each, ProgressEvent | LogEvent))
    assert isinstance(half, ProgressEvent)
    assert (half.path, half.message) == ((("loud",), "half") if era == "plain" else ((), "loud: half"))
    assert isinstance(part, ProgressEvent)
    assert (part.path, part.data) == (("loud",), {"of": "loud"})
    assert isinstance(line, LogEvent)
    assert (line.path, line.message) == (("loud",), "a line")


@pytest.mark.parametrize("era", STRUCTURED)
async def test_a_result_with_a_text_of_its_own(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("report")
        assert await run == {"rows": 1}
        assert run.text == "One row."
        assert [each["type"] for each in run.content] == ["text", "image"]
        meta = run.metadata["beside"]["meta"] if era == "plain" else run.metadata
        assert meta["com.example/took"] == 3
        assert await c.run("untyped_report") == [1, 2]


@each_era
async def test_an_error_of_the_author_is_raised_with_his_words(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("refuse")
        with pytest.raises(ToolError, match=r"^There is no such domain\.$") as raised:
            await run
        assert isinstance(run.events[-1], ErrorEvent)
        assert run.error is raised.value
    assert raised.value.hint == "Look for a typing mistake."


@each_era
async def test_an_error_of_a_class_of_the_author_is_of_that_class(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        with pytest.raises(OutOfStock) as raised:
            await c.run("sell", thing="tea")
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        "out_of_stock",
        "There is no tea left.",
        "Take another.",
    )


@each_era
async def test_what_is_masked_is_in_the_log_of_its_call_alone(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        good, bad = c.run("add", a=1, b=2), c.run("broken")
        with pytest.raises(errors.ToolFailed) as raised:
            await bad
        await good
        assert raised.value.error_id
        assert raised.value.error_id in bad.log
        assert "KeyError: 'a secret of the server'" in bad.log
        assert "secret" not in good.log
        assert "secret" not in str(raised.value)
        assert "add complete" in good.log
        assert good.log in c.log


async def test_what_a_thread_logs_belongs_to_its_call() -> None:
    async with client(TOOLS) as c:
        one, other = c.run("in_thread", text="one"), c.run("in_thread", text="other")
        assert (await one, await other) == ("one", "other")
        assert "WARNING author: in a thread: one" in one.log
        assert "other" not in one.log


async def never_closed() -> AsyncIterator[int]:
    yield 1
    await asyncio.sleep(3600)


@tool
async def rests(seconds: float, _: Annotated[int, Depends(never_closed)]) -> None:
    """Rest."""
    await asyncio.sleep(seconds)


@pytest.mark.parametrize("era", ["plain", "2026-07-28", "2025-06-18"])
async def test_what_a_timer_logs_belongs_to_the_call_that_it_ends(era: Era) -> None:
    async with client(rests, era=era) as c:
        long = c.run("rests", seconds=1000)
        await c.clock.advance(0.1)
        short = c.run("rests", seconds=0.1)
        await c.clock.advance(200)
        assert isinstance(long.error, errors.TimeCap)
        assert "rests time_cap 120" in long.log
        assert "is not closed after 5.0 s, and is given up" in short.log
        assert "time_cap" not in short.log


async def test_the_end_of_a_call_by_a_stop_is_in_its_log() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
        await c.stop()
        assert "wait shutdown" in run.log


@pytest.mark.parametrize("first", [0, 1])
async def test_clients_that_end_in_any_order_leave_the_servers_level_as_it_was(first: int) -> None:
    logger = logging.getLogger("mcp_app")
    before = logger.level
    opened = [contextlib.AsyncExitStack() for _ in range(2)]
    clients = [await each.enter_async_context(client(TOOLS)) for each in opened]
    await opened[first].aclose()
    run = clients[1 - first].run("add", a=1, b=2)
    assert await run == 3
    assert "add complete" in run.log
    await opened[1 - first].aclose()
    assert logger.level == before


async def test_the_application_is_stopped_also_where_leaving_it_fails() -> None:
    closed: list[str] = []

    async def pool() -> AsyncIterator[str]:
        yield "pool"
        closed.append("pool")

    @tool
    async def waits(ctx: Context, pool: Annotated[str, Shared(pool)]) -> None:
        await ctx.progress(1)
        await asyncio.sleep(1000)

    async def never_done(scope: Any, receive: Any, send: Any) -> None:
        await without(scope, receive, send)
        await released.wait()

    app, released = create_app(tools=[waits]), asyncio.Event()
    without, app.asgi_app = app.asgi_app, never_done  # type: ignore[method-assign]
    with pytest.raises(NothingCame, match="the server to be done with the request"):
        async with client(app, patience=0.1) as c:
            await c.run(waits).until("progress")
    assert closed == ["pool"]
    released.set()


async def test_refusals_are_errors_of_their_own_classes() -> None:
    async with client(TOOLS) as c:
        with pytest.raises(errors.UnknownTool, match="no tool named 'ad'") as unknown:
            await c.run("ad")
        with pytest.raises(errors.InvalidParams) as invalid:
            await c.run("add", a="x", b=2)
        with pytest.raises(MissingCapability) as missing:
            await c.run("greet")
        with pytest.raises(errors.NotReadOnly):
            await c.with_options(by="get").run("refuse")
    assert "add" in unknown.value.hint
    assert [each["field"] for each in invalid.value.details] == ["params.a"]
    assert missing.value.required == {"elicitation": {"form": {}}}


@each_revision
async def test_refusals_of_mcp_too(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        with pytest.raises(errors.UnknownTool):
            await c.run("ad")
        with pytest.raises(errors.InvalidParams, match=r"arguments\.a") as invalid:
            await c.run("add", a="x", b=2)
        assert [each["field"] for each in invalid.value.details] == ["arguments.a"]
        with pytest.raises(MissingCapability) as missing:
            await c.run("greet")
        assert missing.value.required == {"elicitation": {"form": {}}}


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25", "2025-06-18"])
async def test_what_a_tool_asks_is_answered_by_a_function(era: Era) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> Any:
        asked.append(question)
        await asyncio.sleep(0)
        return {"name": "Ada"} if question.kind == "form" else "Hello"

    async with client(TOOLS, era=era, answer=answer) as c:
        run = c.run("greet")
        assert await run == "Hello, Ada"
    form, sample = asked
    assert form.message == "Who are you?"
    assert list(form.schema["properties"]) == ["name", "age"]
    assert sample.messages[0]["content"]["text"] == "A greeting, please"
    assert [event.type for event in run.events].count("ask") == 2


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_answers_of_each_kind(era: Era) -> None:
    async with client(
        TOOLS, era=era, answer=lambda q: tested_tools.Name(name="Alan") if q.kind == "form" else "Hi"
    ) as c:
        assert await c.run("greet") == "Hi, Alan"
        assert await c.with_options(answer=lambda _: ["file:///a", {"uri": "file:///b"}]).run("look") == [
            "file:///a",
            "file:///b",
        ]
        assert await c.with_options(answer=lambda _: True).run("open_page") == "opened"
        for refusal in (DECLINE, CANCEL):
            with pytest.raises(ToolError, match=r"declined|closed|cancel|answer"):
                await c.with_options(answer=lambda _, no=refusal: no).run("open_page")
        with pytest.raises(
            TypeError, match=r"None does not answer the form 'Who are you\?' with the fields 'name', 'age'"
        ):
            await c.with_options(answer=lambda _: None).run("greet")
        with pytest.raises(pytest.fail.Exception, match="of the test"):
            await c.with_options(answer=lambda _: pytest.fail("of the test")).run("greet")
        with pytest.raises(ZeroDivisionError):
            await c.with_options(answer=lambda _: 1 // 0).run("greet")


@each_revision
async def test_what_is_offered_beside_tools(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        assert (await c.read("test://text")).text == "the text"
        photo = await c.read("test://photos/ada")
        assert (photo.data, photo.mime_type) == (tested_tools.PNG, "image/png")
        with pytest.raises(ValueError, match="not one text in it, but blob"):
            _ = photo.text
        advice = await c.prompt("advise", topic="tea", tone="Warmly.")
        assert advice.text == "Advise on tea.\nWarmly."
        assert [each["role"] for each in advice.messages] == ["user", "assistant"]
        assert await c.complete("advise", "topic", "x", tone="y") == ["x!", "y"]
        assert await c.complete(tested_tools.photo, "user", "al") == ["alan"]
        assert await c.complete("test://photos/{user}", "user", "a") == ["ada", "alan"]
        assert [each["uri"] for each in await c.resources()] == ["test://text"]
        assert [each["uriTemplate"] for each in await c.resource_templates()] == ["test://photos/{user}"]
        assert [each["name"] for each in await c.prompts()] == ["advise"]
        assert "add" in [each["name"] for each in await c.tools()]
        assert (await c.request("tools/list"))["tools"][0]["name"] == "add"
        with pytest.raises((errors.McpAppError, Exception), match="nothing"):
            await c.read("test://nothing")


async def test_the_plain_dialect_lists_tools_and_has_nothing_else() -> None:
    async with client(TOOLS) as c:
        assert "add" in [each["name"] for each in await c.tools()]
        with pytest.raises(ValueError, match='with_options\\(era="2026-07-28"\\)'):
            await c.read("test://text")
        assert (await c.with_options(era="2026-07-28").read("test://text")).text == "the text"


@each_era
async def test_header_fields_reach_the_tool(era: Era) -> None:
    async with client(TOOLS, era=era, headers={"X-Tenant": "acme"}) as c:
        assert await c.run("header", name="x-tenant") == "acme"


async def test_arguments_that_a_schema_repeats_in_header_fields_are_repeated() -> None:
    async with client(TOOLS, era="2026-07-28") as c:
        assert await c.run("regional", region="Zürich") == "in Zürich"


async def test_what_can_be_given_to_client() -> None:
    @tool
    async def one() -> int:
        return 1

    registry = Registry([one])
    app = create_app(Settings(cap_seconds=7), [one])
    for offered in ([one], [[one]], [registry], [app], [tested_tools.add, one], [TOOLS, one]):
        async with client(*offered) as c:
            assert await c.run("one") == 1
    async with client(f"{TOOLS}:add") as c:
        assert [each["name"] for each in await c.tools()] == ["add"]
    async with client("mcp_app.builtin:TOOLS") as c:
        assert "scan_domain" in [each["name"] for each in await c.tools()]
    async with client(one, settings=Settings(cap_seconds=5)) as c:
        run = c.run(one)
        await run
        assert run.events[0].raw["metadata"]["cap_seconds"] == 5
    async with client(registry) as c:

        @tool
        async def two() -> int:
            return 2

        registry.add(two)
        assert await c.run(two) == 2


@pytest.mark.usefixtures("imports_as_before")
@each_era
async def test_what_is_around_tools_is_around_those_that_are_tested(era: Era, tmp_path: Path) -> None:
    seen: list[tuple[str, str, str | None]] = []

    @around
    async def audit(call: Call, proceed: Proceed) -> Any:
        result = await proceed()
        seen.append((call.tool.name, call.dialect, call.code))
        return result

    async with client(TOOLS, audit, era=era) as c:
        assert str(await c.run("add", a=1, b=2)) == "3"
    assert seen == [("add", "plain" if era == "plain" else "mcp", "complete")]
    file = tmp_path / "refusing.py"
    file.write_text(
        "from mcp_app import ToolError, around, tool\n@tool\nasync def one() -> int:\n    return 1\n"
        "@around\nasync def no(call, proceed):\n    raise ToolError('no')\n"
    )
    async with client(file, era=era) as c:
        with pytest.raises(ToolError, match="no"):
            await c.run("one")


@pytest.mark.parametrize(
    ("era", "codes"),
    [("2026-07-28", ["input_required", "input_required", "complete"]), ("2025-11-25", ["complete"])],
)
async def test_what_is_around_a_tool_sees_each_round_of_its_questions(era: Era, codes: list[str]) -> None:
    seen: list[str | None] = []

    @around
    async def audit(call: Call, proceed: Proceed) -> Any:
        try:
            return await proceed()
        finally:
            seen.append(call.code)

    async with client(TOOLS, audit, era=era, answer=lambda q: {"name": "Ada"} if q.kind == "form" else "Hello") as c:
        assert await c.run("greet") == "Hello, Ada"
    assert seen == codes


async def test_what_cannot_is_named_with_the_remedy() -> None:
    async def plain() -> int:
        return 1

    app = create_app(tools=[])
    for offered, message in (
        ([plain], r"plain is no tool: decorate it with @tool"),
        ([7], r"neither a name of tools nor a tool: int"),
        ([tested_tools.add, [plain]], r"plain is no tool: decorate it with @tool"),
    ):
        with pytest.raises(ToolFileError, match=message):
            async with client(*offered):
                pass
    with pytest.raises(TypeError, match="give nothing beside it"):
        async with client(app, tested_tools.add):
            pass
    with pytest.raises(TypeError, match="give them to create_app"):
        async with client(app, settings=Settings()):
            pass
    with pytest.raises(ToolFileError, match=r"no_such_file\.py: no such file"):
        async with client("no_such_file.py"):
            pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"era": "2025-01-01"}, "era='2025-01-01' is none of plain, 2026-07-28"),
        ({"era": "2026-07-28", "by": "get"}, "by= is of the plain dialect; the client speaks MCP 2026-07-28"),
        ({"era": "2025-11-25", "tasks": True}, "tasks=True is of MCP 2026-07-28; the client speaks 2025-11-25"),
        ({"by": "detached", "json": True}, "json=True cannot be had"),
        ({"era": "2024-11-05", "reads": "on_demand"}, "one stream for all calls"),
        ({"by": "put"}, "by='put'"),
        ({"reads": "slowly"}, "reads='slowly'"),
        ({"log_level": "loud"}, "log_level='loud'"),
    ],
)
async def test_options_that_no_client_can_have(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        async with client(tested_tools.add, **options):
            pass
    async with client(tested_tools.add) as c:
        with pytest.raises(ValueError, match=message):
            c.with_options(**options)
        with pytest.raises(TypeError, match="speed"):
            c.with_options(speed=1)  # type: ignore[call-arg]


async def test_a_wait_for_what_does_not_come_ends_and_says_what_came() -> None:
    async with client(TOOLS, patience=0.2) as c:
        run = c.run("wait")
        with pytest.raises(NothingCame, match=r"wait: waiting for its end; the last event was ProgressEvent.*0\.2 s"):
            await run
        with pytest.raises(RuntimeError, match="has not ended"):
            _ = run.result
        with pytest.raises(AssertionError, match="ended without 'log'; there came started, complete"):
            await c.run("add", a=1, b=2).until("log")


def test_without_pytest_it_is_asyncio_run() -> None:
    async def main() -> Any:
        async with client(tested_tools.add) as c:
            return await c.run("add", a=20, b=22)

    assert asyncio.run(main()) == 42
