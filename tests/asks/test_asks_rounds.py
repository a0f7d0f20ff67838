"""MCP 2026-07-28, basic/patterns/mrtr: a tool asks, the call ends with the questions and comes again with answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from asks_session import connect, question, result
from asks_stage import ALL, Server, accepted, retry, sampled
from pydantic import BaseModel, Field

from mcp_app import Context, Depends, prompt, resource, tool
from mcp_app.asking import CallState, Declined, NoAnswer, PollingAsker, RetryAsker
from mcp_app.asking.asker import TRIES, form

Make = Callable[..., Server]


class Name(BaseModel):
    name: str


class Color(BaseModel):
    color: Literal["red", "green"]


class Confirm(BaseModel):
    ok: bool


async def greet(ctx: Context) -> str:
    answer = await ctx.ask(Name, "What is your name?", key="user_name")
    return f"Hello, {answer.name}!"


async def test_a_form_and_its_answer(serve: Make) -> None:
    server = serve(greet)
    asked = await server.call("greet")
    assert asked.status == 200
    assert asked.requests == {
        "user_name": {
            "method": "elicitation/create",
            "params": {
                "message": "What is your name?",
                "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            },
        }
    }
    done = await server.call("greet", {"user_name": accepted(name="Ann")}, asked.state)
    assert done.text == "Hello, Ann!"


async def test_a_client_that_knows_the_key_may_answer_at_once(serve: Make) -> None:
    done = await serve(greet).call("greet", {"user_name": accepted(name="Ann")})
    assert done.text == "Hello, Ann!"


@pytest.mark.parametrize(
    "responses",
    [
        {},
        None,
        {"wrong_key": accepted(name="Ann")},
        {"user_name": 12345},
        {"user_name": {}},
        {"user_name": {"action": "accept"}},
        {"user_name": {"action": "perhaps"}},
        {"user_name": accepted(name=12345)},
        {"user_name": accepted(surname="Ann")},
        {"user_name": sampled("Ann")},
    ],
)
async def test_an_answer_that_is_none_is_asked_for_again(serve: Make, responses: Any) -> None:
    server = serve(greet)
    asked = await server.call("greet")
    again = await server.call("greet", responses, asked.state)
    assert again.requests == asked.requests
    assert again.state != asked.state
    assert (await server.call("greet", {"user_name": accepted(name="Ann")}, again.state)).text == "Hello, Ann!"


@pytest.mark.parametrize("wrong", [accepted(name=12345), {"action": "perhaps"}, {}, 12345, []])
async def test_an_answer_that_never_fits_is_asked_for_three_times(serve: Make, wrong: Any) -> None:
    server = serve(greet)
    said = await server.call("greet")
    for _ in range(TRIES - 1):
        said = await server.call("greet", {"user_name": wrong}, said.state)
        assert set(said.requests) == {"user_name"}
    failed = await server.call("greet", {"user_name": wrong}, said.state)
    assert failed.result["isError"] is True
    assert failed.text.startswith("The client's answer is not what was asked for: ")
    assert failed.text.endswith("give an answer that fits: the message says what does not.")
    assert (await server.call("greet", {"user_name": accepted(name="Ann")}, said.state)).text == "Hello, Ann!"


async def test_no_answer_is_no_answer_that_does_not_fit(serve: Make) -> None:
    """The client may answer one question a round; it gives up by itself."""
    server = serve(greet)
    said = await server.call("greet")
    for _ in range(2 * TRIES):
        said = await server.call("greet", {}, said.state)
    assert (await server.call("greet", {"user_name": accepted(name="Ann")}, said.state)).text == "Hello, Ann!"


async def test_each_question_has_its_own_count(serve: Make) -> None:
    async def two(ctx: Context) -> str:
        name, color = await asyncio.gather(ctx.ask(Name, "Name?", key="n"), ctx.ask(Color, "Color?", key="c"))
        return f"{name.name} {color.color}"

    async def changing(ctx: Context) -> str:
        calls.append(1)
        return (await ctx.ask(Name, f"Name, {len(calls)}?", key="n")).name

    calls: list[int] = []
    server = serve(two, changing)
    said = await server.call("two")
    for _ in range(TRIES - 1):
        said = await server.call("two", {"n": accepted(name=1)}, said.state)
    said = await server.call("two", {"c": accepted(color="blue")}, said.state)
    assert set(said.requests) == {"n", "c"}
    done = await server.call("two", {"n": accepted(name="Ann"), "c": accepted(color="red")}, said.state)
    assert done.text == "Ann red"
    said = await server.call("changing")
    for _ in range(2 * TRIES):  # another question each time
        said = await server.call("changing", {"n": accepted(name=1)}, said.state)
    assert set(said.requests) == {"n"}


async def test_what_nobody_asked_for_is_passed_over(serve: Make) -> None:
    server = serve(greet)
    asked = await server.call("greet")
    responses = {"user_name": accepted(name="Ann"), "more": 1, "most": accepted(name="Bob")}
    assert (await server.call("greet", responses, asked.state)).text == "Hello, Ann!"


async def test_input_responses_that_are_no_object_are_refused(serve: Make) -> None:
    answer = await serve(greet).call("greet", [1])
    assert (answer.status, answer.error["code"]) == (400, -32602)


async def test_rounds_carry_what_was_answered_before(serve: Make) -> None:
    async def two(ctx: Context) -> str:
        name = await ctx.ask(Name, "Name?", key="step1")
        color = await ctx.ask(Color, f"Color, {name.name}?", key="step2")
        return f"{name.name} likes {color.color}"

    server = serve(two)
    first = await server.call("two")
    assert list(first.requests) == ["step1"]
    second = await server.call("two", {"step1": accepted(name="Ann")}, first.state)
    assert list(second.requests) == ["step2"]
    assert second.requests["step2"]["params"]["message"] == "Color, Ann?"
    assert second.state != first.state
    done = await server.call("two", {"step2": accepted(color="red")}, second.state)
    assert done.text == "Ann likes red"


async def test_several_questions_go_out_together(serve: Make) -> None:
    async def many(ctx: Context) -> str:
        name, said, roots = await asyncio.gather(
            ctx.ask(Name, "Name?", key="user_name"),
            ctx.sample("Greet", max_tokens=50, key="greeting"),
            ctx.roots(key="client_roots"),
        )
        return f"{said.text}, {name.name}: {roots[0].uri}"

    server = serve(many)
    asked = await server.call("many")
    assert {key: request["method"] for key, request in asked.requests.items()} == {
        "user_name": "elicitation/create",
        "greeting": "sampling/createMessage",
        "client_roots": "roots/list",
    }
    assert asked.requests["greeting"]["params"] == {
        "messages": [{"role": "user", "content": {"type": "text", "text": "Greet"}}],
        "maxTokens": 50,
    }
    some = await server.call("many", {"user_name": accepted(name="Ann")}, asked.state)
    assert sorted(some.requests) == ["client_roots", "greeting"]
    rest = {"greeting": sampled("Hello"), "client_roots": {"roots": [{"uri": "file:///here"}]}}
    assert (await server.call("many", rest, some.state)).text == "Hello, Ann: file:///here"


async def test_a_task_group_asks_together_too(serve: Make) -> None:
    async def group(ctx: Context) -> str:
        async def behind(key: str) -> str:
            await asyncio.sleep(0)
            return (await ctx.ask(Name, key, key=key)).name

        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(behind(key)) for key in ("a", "b", "c")]
        return "".join(each.result() for each in found)

    server = serve(group)
    asked = await server.call("group")
    assert list(asked.requests) == ["a", "b", "c"]
    done = await server.call("group", {key: accepted(name=key) for key in "abc"}, asked.state)
    assert done.text == "abc"


async def test_without_a_key_the_order_of_the_questions_counts(serve: Make) -> None:
    async def two(ctx: Context) -> str:
        return (await ctx.ask(Name, "First?")).name + (await ctx.ask(Name, "Second?")).name

    server = serve(two)
    first = await server.call("two")
    assert list(first.requests) == ["ask-1"]
    second = await server.call("two", {"ask-1": accepted(name="A")}, first.state)
    assert list(second.requests) == ["ask-2"]
    assert (await server.call("two", {"ask-2": accepted(name="B")}, second.state)).text == "AB"


async def test_an_answer_to_another_form_is_none(serve: Make) -> None:
    messages = iter(["What?", "What else?", "What else?"])

    async def changing(ctx: Context) -> str:
        return (await ctx.ask(Name, next(messages), key="k")).name

    server = serve(changing)
    first = await server.call("changing")
    again = await server.call("changing", {"k": accepted(name="Ann")}, first.state)
    assert again.requests["k"]["params"]["message"] == "What else?"
    assert (await server.call("changing", {"k": accepted(name="Ann")}, again.state)).text == "Ann"


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_is_an_answer(serve: Make, action: str) -> None:
    seen: list[str] = []

    async def ask(ctx: Context) -> str:
        try:
            await ctx.ask(Name, "Name?", key="n")
        except Declined as declined:
            seen.append(declined.action)
            raise
        return ""

    server = serve(ask)
    asked = await server.call("ask")
    done = await server.call("ask", {"n": {"action": action}}, asked.state)
    assert done.result["isError"] is True
    assert "Name?" in done.text
    assert seen == [action]


async def test_a_no_is_remembered(serve: Make) -> None:
    async def ask(ctx: Context) -> str:
        try:
            await ctx.ask(Name, "Name?", key="n")
        except Declined as declined:
            await ctx.ask(Confirm, "Really?", key="really")
            return declined.action
        return ""

    server = serve(ask)
    first = await server.call("ask")
    second = await server.call("ask", {"n": {"action": "cancel"}}, first.state)
    assert list(second.requests) == ["really"]
    assert (await server.call("ask", {"really": accepted(ok=True)}, second.state)).text == "cancel"


async def test_a_page_to_open(serve: Make) -> None:
    async def connect(ctx: Context) -> str:
        await ctx.ask_url("https://example.com/connect?e=1", "Connect your account", key="page")
        return "connected"

    server = serve(connect)
    asked = await server.call("connect")
    assert asked.requests["page"]["params"] == {
        "mode": "url",
        "message": "Connect your account",
        "url": "https://example.com/connect?e=1",
    }
    assert (await server.call("connect", {"page": {"action": "accept"}}, asked.state)).text == "connected"


async def test_prompts_and_resources_ask_as_well(serve: Make) -> None:
    @prompt
    async def about(ctx: Context) -> str:
        return (await ctx.ask(Name, "Who?", key="who")).name

    @resource("note://{id}")
    async def note(ctx: Context, id: str) -> str:  # noqa: A002 - the variable's name
        return id + (await ctx.ask(Name, "Who?", key="who")).name

    server = serve(prompts=[about], resources=[note])
    answers = {"who": accepted(name="Ann")}
    for method, params in (("prompts/get", {"name": "about"}), ("resources/read", {"uri": "note://1"})):
        asked = await server.request(method, params)
        assert list(asked.requests) == ["who"]
        done = await server.request(method, {**params, **retry(answers, asked.state)})
        assert done.result["resultType"] == "complete"
        assert "Ann" in str(done.result)


async def test_what_is_known_is_made_once(serve: Make) -> None:
    made: list[int] = []

    async def pay(ctx: Context) -> str:
        async def charge() -> dict[str, Any]:
            made.append(1)
            return {"number": 4711, "parts": (1, 2)}

        charged = await ctx.once("charge", charge)
        plainly = await ctx.once("plain", lambda: "p")
        name = await ctx.ask(Name, "Whose?", key="n")
        return f"{charged['number']} {charged['parts']} {plainly} {name.name}"

    server = serve(pay)
    asked = await server.call("pay")
    done = await server.call("pay", {"n": accepted(name="Ann")}, asked.state)
    assert done.text == "4711 [1, 2] p Ann"
    assert made == [1]


async def test_a_round_does_not_end_while_something_is_made_once(serve: Make) -> None:
    made: list[str] = []

    async def both(ctx: Context) -> str:
        async def slow(what: str) -> str:
            made.append(f"begun {what}")
            for _ in range(100):
                await asyncio.sleep(0)
            made.append(f"done {what}")
            return what

        first, name, second = await asyncio.gather(
            ctx.once("first", lambda: slow("1")), ctx.ask(Name, "Name?", key="n"), ctx.once("second", lambda: slow("2"))
        )
        return f"{first} {name.name} {second}"

    server = serve(both)
    asked = await server.call("both")
    assert made == ["begun 1", "begun 2", "done 1", "done 2"]
    assert (await server.call("both", {"n": accepted(name="Ann")}, asked.state)).text == "1 Ann 2"
    assert len(made) == 4


async def test_what_failed_to_be_made_is_made_again(serve: Make) -> None:
    tries: list[int] = []

    async def fails(ctx: Context) -> str:
        def make() -> int:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("not now")
            return len(tries)

        try:
            await ctx.once("k", make)
        except OSError:
            return str(await ctx.once("k", make))
        return "made"

    assert (await serve(fails).call("fails")).text == "2"


async def test_the_tool_is_told_to_stop_and_cleans_up(serve: Make) -> None:
    cleaned: list[str | None] = []

    async def tidy(ctx: Context) -> str:
        try:
            return (await ctx.ask(Name, "Name?")).name
        finally:
            cleaned.append(ctx.cancel_reason)

    server = serve(tidy)
    await server.call("tidy")
    await server.runs.drain()
    assert cleaned == ["input_required"]


async def test_a_question_given_up_is_not_asked(serve: Make) -> None:
    async def impatient(ctx: Context) -> str:
        try:
            await asyncio.wait_for(ctx.ask(Name, "Name?"), 0)
        except TimeoutError:
            return "gave up"
        return "answered"

    assert (await serve(impatient).call("impatient")).text == "gave up"


async def test_a_plain_function_waits_for_its_answer(serve: Make) -> None:
    def slow(ctx: Context) -> str:
        ctx.progress(1, 2, "before")
        name = ctx.wait(ctx.ask(Name, "Name?", key="n"))
        return f"{name.name}{ctx.wait(ctx.once('k', lambda: '!'))}"

    server = serve(slow)
    asked = await server.call("slow", meta={"progressToken": "t"})
    assert list(asked.requests) == ["n"]
    assert [each["params"]["message"] for each in asked.before] == ["before"]
    assert (await server.call("slow", {"n": accepted(name="Ann")}, asked.state)).text == "Ann!"


async def test_to_who_takes_only_a_stream_the_questions_come_in_one(serve: Make) -> None:
    server = serve(greet)
    asked = await server.call("greet", accept="text/event-stream")
    assert list(asked.requests) == ["user_name"]


async def test_a_long_description_reaches_the_form(serve: Make) -> None:
    class Described(BaseModel):
        name: Annotated[str, Field(title="Name", description="As in the passport", max_length=40)] = "Ann"

    async def ask(ctx: Context) -> str:
        answer = await ctx.ask(Described, "Name?", key="n")
        return answer.name

    server = serve(tool(ask))
    asked = await server.call("ask", can=ALL)
    assert asked.requests["n"]["params"]["requestedSchema"] == {
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "title": "Name",
                "description": "As in the passport",
                "maxLength": 40,
                "default": "Ann",
            }
        },
    }
    assert (await server.call("ask", {"n": accepted()}, asked.state)).text == "Ann"


async def test_a_task_goes_on_counting_the_answers_of_earlier_rounds() -> None:
    question, wrong = form(Name, "What is your name?"), accepted(name=12345)
    state = CallState(asked={"k": question.digest}, misfits={"k": TRIES - 2})
    asker = PollingAsker(RetryAsker(ALL, state, {"k": wrong}), lambda: None)
    asker.defer()
    asking = asyncio.create_task(asker.ask(question, "k"))
    await asyncio.sleep(0)
    assert set(asker.outstanding) == {"k"}  # once more: the answer that came with the call was the last but one
    asker.answer({"k": wrong})
    with pytest.raises(NoAnswer, match="not what was asked for"):
        await asyncio.wait_for(asking, 10)


class Questions:
    """Two questions of one round, of which the first answer takes a while to be read, as in another process."""

    def __init__(self, asker: RetryAsker) -> None:
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.reading = asyncio.Event()
        asker.attach(self._emit, self.ended.set_result)
        slow = replace(form(Name, "What is your name?"), read=self._read)
        self.tasks = [
            asyncio.create_task(asker.ask(slow, "name")),
            asyncio.create_task(asker.ask(form(Color, "Which color?"), "color")),
        ]

    async def _emit(self, events: Any) -> None:
        raise AssertionError("nothing is sent in a round")

    async def _read(self, result: Any) -> Any:
        self.reading.set()
        await asyncio.Event().wait()

    async def state(self) -> Any:
        """The state with which the round ends; all that works is cancelled then, as by a run."""
        required = await asyncio.wait_for(self.ended, 10)
        for each in self.tasks:
            each.cancel()
        await asyncio.wait(self.tasks)
        return CallState.from_payload(required.state)


async def test_an_answer_that_is_still_being_read_when_the_round_ends_is_kept() -> None:
    first = Questions(RetryAsker(ALL, None, {}))
    state = await first.state()
    assert set(state.asked) == {"name", "color"}
    second = Questions(RetryAsker(ALL, state, {"name": accepted(name="Ann")}))
    state = await second.state()
    assert second.reading.is_set()
    assert set(state.asked) == {"color"}
    third = RetryAsker(ALL, state, {"color": accepted(color="red")})
    answers = [third.ask(form(Name, "What is your name?"), "name"), third.ask(form(Color, "Which color?"), "color")]
    assert await asyncio.wait_for(asyncio.gather(*answers), 10) == [Name(name="Ann"), Color(color="red")]


async def whose(ctx: Context) -> AsyncIterator[str]:
    yield (await ctx.ask(Name, "Who are you?")).name


def plain_whose(ctx: Context) -> str:
    found: Name = ctx.wait(ctx.ask(Name, "And in a thread?"))
    return found.name


async def test_questions_of_what_a_tool_depends_on_count_with_its_own(serve: Make) -> None:
    async def two(who: Annotated[str, Depends(whose)], also: Annotated[str, Depends(plain_whose)], ctx: Context) -> str:
        return f"{who}, {also}: {(await ctx.ask(Name, 'Second?')).name}"

    server = serve(two)
    asked = await server.call("two")
    for number, name in enumerate("ABC", 1):
        assert list(asked.requests) == [f"ask-{number}"]
        asked = await server.call("two", {f"ask-{number}": accepted(name=name)}, asked.state)
    assert asked.text == "A, B: C"


@pytest.mark.parametrize("maker", [whose, plain_whose])
async def test_what_a_tool_depends_on_asks_although_the_tool_itself_cannot(serve: Make, maker: Any) -> None:
    @tool
    async def greeted(who: Annotated[str, Depends(maker)]) -> str:
        return f"Hello, {who}!"

    server = serve(greeted)
    asked = await server.call("greeted")
    assert list(asked.requests) == ["ask-1"]
    assert (await server.call("greeted", {"ask-1": accepted(name="Ann")}, asked.state)).text == "Hello, Ann!"

    client = await connect(server)
    async with client.call("greeted") as messages:
        await client.respond(await question(messages), accepted(name="Bob"))
        assert (await result(messages))["content"][0]["text"] == "Hello, Bob!"
