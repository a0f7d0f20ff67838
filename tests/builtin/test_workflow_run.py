"""Workflows that run: by every dialect, with everything that a step can do to them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from workflow_stage import TOOLS, of, sly_process, step, when

from mcp_app import Call, Context, Proceed, Registry, Tool, around, create_app, errors, tool
from mcp_app.builtin.run_workflow import tool as workflow_tool
from mcp_app.builtin.run_workflow.plan import MAX_AT_ONCE, Course
from mcp_app.builtin.run_workflow.tool import InvalidWorkflow, StepFailed, run_workflow
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.testing import ERAS, Client, CompleteEvent, Era, LogEvent, ProgressEvent, client

LARGE = 15 * 1024 * 1024


class Yes(BaseModel):
    yes: bool


@pytest.fixture
async def c() -> AsyncIterator[Client]:
    async with client(run_workflow, *TOOLS) as opened:
        yield opened


def by_id(result: Any) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in result["steps"]}


async def test_the_result_holds_each_step_and_fits_its_schema(c: Client) -> None:
    result = await c.run(
        "run_workflow",
        steps=[
            step("loud", "shout", params={"text": of("shop", "/rows/1/name")}),
            step("shop", "shop"),
            step("none", "fails", on_error="skip_dependants"),
            step("after", params={"value": of("none")}),
        ],
    )
    Draft202012Validator(dict(run_workflow.output_schema or {})).validate(result)
    assert (result["kind"], result["truncated"], result["notice"]) == ("workflow", False, None)
    assert [each["status"] for each in result["steps"]] == ["ok", "ok", "failed", "skipped"]
    steps = by_id(result)
    assert steps["loud"]["result"] == "TEA 1"
    assert steps["shop"]["result"]["rows"][0] == {"name": "tea 0", "price": 0.5}
    assert steps["none"]["error"]["code"] == "gone"
    assert steps["none"]["error"]["hint"] == "Ask for something else."
    assert steps["after"]["reason"] == 'the step "none", which it needs, has failed'


@pytest.mark.parametrize("era", ERAS)
async def test_it_runs_by_every_dialect(era: Era, c: Client) -> None:
    written = [step("a", "counts", params={"to": 3}), step("b", params={"value": of("a", "/2")})]
    run = c.with_options(era=era).run("run_workflow", steps=written)
    result = await run
    if era in ("2025-03-26", "2024-11-05"):
        result = json.loads(result)
    assert [each["result"] for each in result["steps"]] == [[0, 1, 2], 2]
    assert [event for event in run.events if isinstance(event, ProgressEvent)]


async def test_progress_is_nested_and_reaches_its_end(c: Client) -> None:
    run = c.run(
        "run_workflow",
        steps=[
            step("n", "counts", params={"to": 2}),
            step("x", "fails", on_error="continue"),
            step("no", **{"if": when("n", "/7", exists=True)}),
            step("end", needs=["x"]),
        ],
    )
    await run
    events = [event for event in run.events if isinstance(event, ProgressEvent)]
    numbers = [event.progress for event in events if event.progress is not None]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 100
    assert {event.path[0] for event in events} == {"n", "x", "no", "end"}
    told = [event.data for event in events if isinstance(event.data, dict) and event.data.get("kind") == "step"]
    assert {each["id"]: each["status"] for each in told} == {"n": "ok", "x": "failed", "no": "skipped", "end": "ok"}


async def test_a_page_starts_it_detached_and_follows(c: Client) -> None:
    """By EventSource, as it is no tool for GET."""
    run = c.with_options(by="detached").run("run_workflow", steps=[step("a", "counts", params={"to": 2})])
    assert by_id(await run)["a"]["result"] == [0, 1]
    with pytest.raises(errors.NotReadOnly):
        await c.with_options(by="get").run("run_workflow", steps=[step("a")])


async def test_what_is_around_calls_is_around_those_of_steps() -> None:
    seen: list[str] = []

    @around
    async def watch(call: Call, proceed: Proceed) -> Any:
        seen.append(call.tool.name)
        return await proceed()

    async with client(create_app(tools=[run_workflow, *TOOLS], around=[watch])) as c:
        await c.run("run_workflow", steps=[step("a"), step("b", "shop", needs=["a"])])
    assert seen == ["run_workflow", "echo", "shop"]


async def test_drawn_workflows_call_each_step_once_for_each_attempt_and_after_what_it_needs() -> None:
    began: dict[str, list[float]] = {}
    ended: dict[str, float] = {}

    @tool(read_only=True)
    async def work(name: str, seconds: float, failures: int, taken: Any = None) -> str:
        loop = asyncio.get_running_loop()
        began.setdefault(name, []).append(loop.time())
        await asyncio.sleep(seconds)
        if len(began[name]) <= failures:
            raise errors.ToolError("not yet")
        ended[name] = loop.time()
        return name

    async with client(run_workflow, work) as c:
        for seed in range(40):
            drawn = random.Random(seed)
            began.clear()
            ended.clear()
            written, before, attempts = [], {}, {}
            for n in range(drawn.randint(1, 30)):
                name = f"s{n}"
                earlier = [f"s{m}" for m in drawn.sample(range(n), drawn.randint(0, min(n, 3)))]
                failures, attempts[name] = drawn.choice([(0, 1), (1, 2), (2, 3)])
                params = {"name": name, "seconds": drawn.random(), "failures": failures}
                half = len(earlier) // 2
                before[name] = set(earlier)
                written.append(
                    step(
                        name,
                        "work",
                        params={**params, "taken": [of(each) for each in earlier[:half]]},
                        needs=earlier[half:],
                        retry={"attempts": 4, "seconds": drawn.random()},
                    )
                )
            drawn.shuffle(written)
            run = c.run("run_workflow", steps=written)
            await c.clock.advance(110)
            result = await run
            assert {each["status"] for each in result["steps"]} == {"ok"}
            assert {name: len(calls) for name, calls in began.items()} == attempts
            assert {each["id"]: each["attempts"] for each in result["steps"]} == attempts
            assert all(ended[one] <= began[name][0] for name, those in before.items() for one in those)


async def test_nothing_runs_when_the_check_fails(c: Client) -> None:
    run = c.run("run_workflow", steps=[step("a"), step("b", "nothing"), step("c", needs=["x"])])
    with pytest.raises(InvalidWorkflow) as caught:
        await run
    assert caught.value.message.startswith("The workflow has 2 mistakes, and no step has begun. steps.1.tool: ")
    assert [each["field"] for each in caught.value.details] == ["steps.1.tool", "steps.2.needs.0"]
    assert not [event for event in run.events if isinstance(event, ProgressEvent)]


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25", "2024-11-05"])
async def test_an_agent_reads_all_mistakes(era: Era, c: Client) -> None:
    run = c.with_options(era=era).run("run_workflow", steps=[step("a", "x"), step("b", needs=["b"])])
    with pytest.raises(InvalidWorkflow) as caught:
        await run
    said = caught.value.message + str(caught.value.details)
    assert "steps.0.tool" in said
    assert "a cycle" in said


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ([], "params.steps"),
        ([step(f"s{n}") for n in range(101)], "params.steps"),
        ([step(f"s{n}") for n in range(10_000)], "params.steps"),
        ([{"id": "a"}], "params.steps.0.tool"),
        ([step("a b")], "params.steps.0.id"),
        ([step("a/b")], "params.steps.0.id"),
        ([step("a" * 65)], "params.steps.0.id"),
        ([step("a", on_eror="fail")], "params.steps.0.on_eror"),
        ([step("a", time_limit=0)], "params.steps.0.time_limit"),
        ([step("a", retry={"attempts": 6})], "params.steps.0.retry.attempts"),
        ([step("a", params=[])], "params.steps.0.params"),
        ([step("a", needs="b")], "params.steps.0.needs"),
        ([step("a", **{"if": {"from": "b"}})], "params.steps.0.if"),
        ("no steps", "params.steps"),
    ],
)
async def test_what_is_no_workflow_is_refused_before_a_run(steps: Any, field: str, c: Client) -> None:
    with pytest.raises(errors.InvalidParams) as caught:
        await c.run("run_workflow", steps=steps)
    assert caught.value.details[0]["field"] == field
    assert len(str(caught.value.details)) < 10_000


async def test_deep_json_passes_as_deep_as_a_body_may_be(c: Client) -> None:
    deep: Any = "end"
    for _ in range(50):
        deep = {"x": [deep]} if isinstance(deep, str) else [deep]
    result = await c.run(
        "run_workflow", steps=[step("a", params={"value": deep}), step("b", params={"value": of("a")})]
    )
    assert by_id(result)["b"]["result"] == deep
    for _ in range(20):
        deep = [deep]
    with pytest.raises(errors.InvalidRequest, match="nests deeper"):
        await c.run("run_workflow", steps=[step("a", params={"value": deep})])


# --- failures --------------------------------------------------------------------------------------------------------


async def test_a_failed_step_ends_the_workflow_and_nothing_that_was_done_is_lost(c: Client) -> None:
    run = c.run(
        "run_workflow",
        steps=[
            step("done", "shout", params={"text": "a"}),
            step("bad", "fails", params={"message": "No tea."}, needs=["done"]),
            step("cut", "slow", needs=["done"]),
            step("never", needs=["bad"]),
            step("not", **{"if": when("done", equals="B")}),
            step("broken", "fails", params={"message": "x" * 600}, on_error="continue"),
        ],
    )
    with pytest.raises(StepFailed) as caught:
        await run
    assert caught.value.message == 'The step "bad" (tool fails) has failed: No tea.'
    assert caught.value.hint.startswith("Ask for something else.")
    assert [each["problem"] for each in caught.value.details] == [
        '"bad" failed in 1 attempt: gone: No tea.',
        '"done" is done: "A"',
        '"cut" was cut while it worked',
        '"never" did not begin',
        '"not" was skipped: its condition on the step "done" does not hold',
        f'"broken" failed in 1 attempt: gone: {"x" * 499}…',
    ]
    assert [each["field"] for each in caught.value.details] == [f"steps.{n}" for n in (1, 0, 2, 3, 4, 5)]


async def test_what_a_tool_hides_stays_hidden_and_has_one_id() -> None:
    @tool
    async def broken() -> None:
        raise KeyError("a secret")

    async with client(run_workflow, broken) as c:
        run = c.run("run_workflow", steps=[step("a", "broken")])
        with pytest.raises(StepFailed) as caught:
            await run
        assert "secret" not in str(caught.value.object())
        assert caught.value.error_id is not None
        assert caught.value.error_id in str(run.log)


async def test_a_step_is_retried_with_growing_waits(c: Client) -> None:
    calls: list[float] = []

    @tool(idempotent=True)
    async def flaky(times: int) -> str:
        calls.append(asyncio.get_running_loop().time())
        if len(calls) <= times:
            raise errors.ToolError("not yet")
        return "at last"

    async with client(run_workflow, flaky) as c:
        run = c.run(
            "run_workflow",
            steps=[step("a", "flaky", params={"times": 2}, retry={"attempts": 3, "seconds": 4})],
        )
        await c.clock.advance(30)
        [done] = (await run)["steps"]
    assert (done["status"], done["attempts"], done["result"]) == ("ok", 3, "at last")
    first, second = (later - earlier for earlier, later in itertools.pairwise(calls))
    assert 2 <= first <= 4.1
    assert 4 <= second <= 8.1
    said = [event.message for event in run.events if isinstance(event, LogEvent)]
    assert [text.partition(";")[0] for text in said] == [
        f"attempt {n} failed with tool_failed: not yet" for n in (1, 2)
    ]
    paths = [event.path for event in run.events if isinstance(event, LogEvent)]
    assert paths == [("a",), ("a#2",)]


async def test_the_last_attempt_is_the_last(c: Client) -> None:
    calls: list[int] = []

    @tool(read_only=True)
    async def hopeless() -> None:
        calls.append(1)
        raise errors.ToolError("never")

    @tool
    async def effect() -> None:
        calls.append(2)
        raise errors.ToolError("never")

    async with client(run_workflow, hopeless, effect) as c:
        run = c.run(
            "run_workflow",
            steps=[
                step("a", "hopeless", retry={"attempts": 4, "seconds": 0}, on_error="continue"),
                step("b", "hopeless", retry={"on": ["gone"], "seconds": 0}, on_error="continue"),
                step("c", "effect", retry={"on": ["queue_full"], "seconds": 0}, on_error="continue"),
            ],
        )
        steps = by_id(await run)
    assert {name: each["attempts"] for name, each in steps.items()} == {"a": 4, "b": 1, "c": 1}
    assert (calls.count(1), calls.count(2)) == (5, 1)


async def test_no_attempt_is_waited_for_that_would_come_too_late(c: Client) -> None:
    @tool(read_only=True)
    async def hopeless() -> None:
        raise errors.ToolError("never")

    async with client(run_workflow, hopeless) as c:
        run = c.with_options(cap_seconds=20).run(
            "run_workflow", steps=[step("a", "hopeless", retry={"seconds": 60}, on_error="continue")]
        )
        assert by_id(await run)["a"]["attempts"] == 1


async def test_a_step_has_a_time_limit_for_each_call(c: Client) -> None:
    ended: list[str] = []

    @tool(read_only=True)
    async def endless() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("cleaned up")

    async with client(run_workflow, endless) as c:
        run = c.run(
            "run_workflow",
            steps=[
                step("a", "endless", time_limit=5, retry={"attempts": 2, "seconds": 0}, on_error="continue"),
                step("b", "endless", time_limit=0.5, on_error="continue"),
            ],
        )
        await c.clock.advance(11)
        steps = by_id(await run)
    assert steps["a"]["error"]["code"] == "time_cap"
    assert steps["a"]["error"]["message"] == 'The step "a" reached its time limit of 5 seconds.'
    assert (steps["a"]["attempts"], steps["b"]["attempts"]) == (2, 1)
    assert ended == ["cleaned up"] * 3


async def test_a_tool_that_vanishes_between_the_check_and_its_turn() -> None:
    registry = Registry([run_workflow, *TOOLS])

    @tool
    async def removes() -> None:
        registry.remove(registry.get("shop", ANONYMOUS))

    registry.add(removes)
    async with client(registry) as c:
        run = c.run(
            "run_workflow",
            steps=[step("a", "removes"), step("b", "shop", needs=["a"], on_error="continue", retry={}), step("c")],
        )
        steps = by_id(await run)
    assert steps["b"]["error"]["code"] == "unknown_tool"
    assert steps["b"]["attempts"] == 1
    assert steps["c"]["status"] == "ok"


async def test_an_argument_that_turns_out_wrong_is_the_steps_error(c: Client) -> None:
    written = [
        step("a", params={"value": {"n": "many"}}),
        step("b", "counts", params={"to": of("a", "/n")}, on_error="skip_dependants"),
    ]
    error = by_id(await c.run("run_workflow", steps=written))["b"]["error"]
    assert error["code"] == "invalid_params"
    assert error["message"].startswith("The tool counts was not called: params.to")


# --- at once ---------------------------------------------------------------------------------------------------------


def gauge() -> tuple[dict[str, int], Callable[[], Any]]:
    seen = {"now": 0, "most": 0, "calls": 0}

    async def work() -> int:
        seen["now"] += 1
        seen["calls"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        await asyncio.sleep(1)
        seen["now"] -= 1
        return seen["calls"]

    return seen, work


async def test_a_hundred_steps_at_once_are_ten_at_a_time() -> None:
    seen, work = gauge()
    async with client(run_workflow, tool(name="work", read_only=True)(work)) as c:
        run = c.run("run_workflow", steps=[step(f"s{n}", "work") for n in range(100)])
        await c.clock.advance(11)
        assert len((await run)["steps"]) == 100
    assert seen == {"now": 0, "most": MAX_AT_ONCE, "calls": 100}


@pytest.mark.parametrize("waiting", [0, 3])
async def test_a_hundred_steps_of_a_tool_that_works_on_few(waiting: int) -> None:
    seen, work = gauge()
    limited: Tool = tool(name="work", read_only=True, at_once=3, waiting=waiting)(work)
    async with client(run_workflow, limited) as c:
        run = c.run("run_workflow", steps=[step(f"s{n}", "work") for n in range(100)])
        await c.clock.advance(40)
        assert {each["status"] for each in (await run)["steps"]} == {"ok"}
    assert seen == {"now": 0, "most": 3, "calls": 100}


async def test_a_tool_with_a_queue_for_each_value_is_not_held_back() -> None:
    seen, _ = gauge()

    @tool(read_only=True, at_once=1, per="name")
    async def work(name: str) -> None:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        await asyncio.sleep(1)
        seen["now"] -= 1

    async with client(run_workflow, work) as c:
        run = c.run("run_workflow", steps=[step(f"s{n}", "work", params={"name": str(n)}) for n in range(5)])
        await c.clock.advance(2)
        await run
    assert seen["most"] == 5


async def test_a_full_queue_is_retried_whatever_the_tool_is_after_as_long_as_it_asks_for() -> None:
    seen, work = gauge()
    busy: Tool = tool(name="work", at_once=1, waiting=0)(work)
    async with client(run_workflow, busy) as c:
        other = c.run("work")
        await c.clock.advance(0.1)
        run = c.run(
            "run_workflow", steps=[step("a", "work", retry={"attempts": 5, "seconds": 0, "on": ["queue_full"]})]
        )
        await c.clock.advance(60)
        [done] = (await run)["steps"]
        await other
    assert done["status"] == "ok"
    assert done["attempts"] > 1
    assert seen["calls"] == 2


# --- its end ---------------------------------------------------------------------------------------------------------


async def test_leaving_in_the_middle_ends_every_step() -> None:
    ended: list[str | None] = []

    @tool
    async def endless(ctx: Context) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(ctx.cancel_reason)

    async with client(run_workflow, endless, *TOOLS) as c:
        run = c.run(
            "run_workflow",
            steps=[
                step("first"),
                *(step(f"s{n}", "endless", needs=["first"]) for n in range(3)),
                step("x", needs=["s0"]),
            ],
        )
        await run.until(lambda event: isinstance(event, ProgressEvent) and event.path == ("first",))
        await c.clock.advance(1)
        await run.leave()
        await c.idle()
    assert ended == ["left"] * 3


async def test_the_cap_ends_it() -> None:
    async with client(run_workflow, *TOOLS) as c:
        run = c.run("run_workflow", steps=[step("a", "slow"), step("b", needs=["a"])])
        await c.clock.advance(121)
        with pytest.raises(errors.TimeCap):
            await run


async def test_it_does_not_run_itself_by_way_of_another_tool() -> None:
    @tool
    async def sly(ctx: Context) -> Any:
        return await ctx.call("run_workflow", steps=[step("inner")])

    @tool
    def sly_thread(ctx: Context) -> Any:
        return ctx.wait(ctx.call("run_workflow", steps=[step("inner")]))

    async with client(run_workflow, sly, sly_thread, sly_process, *TOOLS) as c:
        for name in ("sly", "sly_thread", "sly_process"):
            run = c.run("run_workflow", steps=[step("a", name, on_error="continue")])
            error = by_id(await run)["a"]["error"]
            assert error["code"] == "invalid_workflow"
            assert "not run within each other" in error["message"]
            assert (await c.run(name))["steps"][0]["status"] == "ok"  # by itself it may
        with pytest.raises(InvalidWorkflow, match="does not call itself"):
            await c.run("run_workflow", steps=[step("a", "run_workflow", params={"steps": []})])


async def test_a_tool_may_run_one_workflow_after_the_other() -> None:
    @tool
    async def twice(ctx: Context) -> list[Any]:
        return [(await ctx.call_json("run_workflow", {"steps": [step("a")]}))["kind"] for _ in range(2)]

    async with client(run_workflow, twice, *TOOLS) as c:
        assert await c.run("twice") == ["workflow"] * 2


async def test_what_nobody_needs_any_more_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    courses: list[Course] = []

    def course(*arguments: Any) -> Course:
        courses.append(Course(*arguments))
        return courses[-1]

    monkeypatch.setattr(workflow_tool, "Course", course)
    async with client(run_workflow, *TOOLS) as c:
        await c.run(
            "run_workflow",
            steps=[
                step("a", params={"value": "x"}),
                step("b", params={"value": of("a")}),
                step("c", params={"value": of("b")}),
                step("d", params={"value": "y"}),
            ],
        )
    [kept] = courses
    assert [each and (each.status, each.result) for each in kept.ended] == [("ok", None)] * 4


async def test_a_call_that_was_refused_does_not_bar_the_next() -> None:
    async with client(run_workflow, *TOOLS) as c:
        with pytest.raises(StepFailed):
            await c.run("run_workflow", steps=[step("a", "fails")])
        assert (await c.run("run_workflow", steps=[step("a")]))["steps"][0]["status"] == "ok"


# --- large results ---------------------------------------------------------------------------------------------------


async def test_large_results_pass_between_steps_and_stay_out_of_the_result() -> None:
    @tool(read_only=True)
    async def large(n: int) -> str:
        return "x" * n

    @tool(read_only=True)
    async def size(text: str) -> int:
        return len(text)

    async with client(run_workflow, large, size) as c:
        result = await c.run(
            "run_workflow",
            steps=[
                step("a", "large", params={"n": LARGE}),
                step("b", "size", params={"text": of("a")}),
                step("c", "large", params={"n": 30 * 1024 * 1024}, on_error="skip_dependants"),
                step("d", "size", params={"text": of("c")}),
            ],
        )
    steps = by_id(result)
    assert steps["b"]["result"] == LARGE
    assert (steps["a"]["result"], steps["a"]["left_out"]) == (None, LARGE + 2)
    assert steps["c"]["error"]["code"] == "event_too_large"
    assert steps["d"]["status"] == "skipped"
    assert result["truncated"] is True
    assert '"a"' in result["notice"]
    assert 'results ["a"]' in result["notice"]


async def test_results_that_wait_for_each_other_have_a_bound_together() -> None:
    @tool(read_only=True)
    async def large(n: int) -> Any:
        return "x" * n

    sizes = [step(f"s{n}", "large", params={"n": LARGE}, on_error="continue") for n in range(6)]
    all_of_them = step("all", params={"value": [of(f"s{n}", "/nothing", default=n) for n in range(6)]})
    alone = step("alone", "large", params={"n": LARGE}, needs=["all"])
    async with client(run_workflow, large, *TOOLS) as c:
        result = await c.run("run_workflow", steps=[*sizes, all_of_them, alone], results=["all"])
    steps = by_id(result)
    codes = [steps[f"s{n}"].get("error", {}).get("code") for n in range(6)]
    assert codes == [None] * 4 + ["results_too_large"] * 2
    assert steps["all"]["result"] == list(range(6))
    assert steps["alone"]["status"] == "ok"  # nobody needs the others any more


async def test_the_caller_chooses_what_is_in_the_result(c: Client) -> None:
    result = await c.run(
        "run_workflow",
        steps=[step("a", "shop", params={"rows": 100}), step("b", "shout", params={"text": of("a", "/rows/3/name")})],
        results=["b", {"from": "a", "pointer": "/rows/99/price"}],
    )
    assert [each["result"] for each in result["steps"]] == [99.5, "TEA 3"]
    result = await c.run("run_workflow", steps=[step("a"), step("b", "shop")], results=["a"])
    assert by_id(result)["b"]["result"] is None
    assert by_id(result)["b"]["left_out"] > 50
    assert result["truncated"] is False


async def test_the_end_of_a_stream_has_no_more_than_was_asked_for(c: Client) -> None:
    run = c.run("run_workflow", steps=[step("a", "shop", params={"rows": 500}), step("b")], max_characters=3000)
    result = await run
    assert result["truncated"] is True
    last = run.events[-1]
    assert isinstance(last, CompleteEvent)
    assert len(json.dumps(last.raw["data"], separators=(",", ":"), ensure_ascii=False)) <= 3000
