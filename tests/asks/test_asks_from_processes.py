"""What a tool asks from a process is what it asks in the server: in rounds, in sessions, and while a client polls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import placed_tools
import pytest
from asks_session import connect
from asks_stage import ALL, Server, accepted, sampled

Make = Callable[..., Server]
PLACES = [placed_tools.HERE, placed_tools.THERE]


@pytest.fixture(params=PLACES, ids=["here", "there"])
async def server(request: pytest.FixtureRequest, serve: Make) -> AsyncIterator[Server]:
    """Whatever is asserted of it holds for both."""
    server = serve(*request.param.values())
    yield server
    await server.runs.processes.close()


@pytest.mark.parametrize("tool", ["greet", "greet_in_a_thread"])
async def test_a_form_and_its_answer(server: Server, tool: str) -> None:
    asked = await server.call(tool)
    assert asked.requests["ask-1"]["params"]["message"] == "Your name?"
    again = await server.call(tool, {"ask-1": accepted(name="rude")}, asked.state)
    assert list(again.requests) == ["ask-1"]
    done = await server.call(tool, {"ask-1": accepted(name="Ann")}, again.state)
    assert done.text == "Hello, Ann!"


async def test_an_answer_that_never_fits(server: Server) -> None:
    said = await server.call("greet")
    for _ in range(2):
        said = await server.call("greet", {"ask-1": accepted(name="rude")}, said.state)
    said = await server.call("greet", {"ask-1": accepted(name="rude")}, said.state)
    assert said.result["isError"] is True
    assert "name: Value error, be polite" in str(said.result)


async def test_a_validator_that_fails(server: Server) -> None:
    asked = await server.call("greet")
    failed = await server.call("greet", {"ask-1": accepted(name="broken")}, asked.state)
    assert "The tool greet failed." in str(failed.result)


async def test_questions_at_once_are_one_round(server: Server) -> None:
    asked = await server.call("three")
    assert {key: each["method"] for key, each in asked.requests.items()} == {
        "ask-1": "elicitation/create",
        "ask-2": "elicitation/create",
        "ask-3": "sampling/createMessage",
    }
    answers = {"ask-1": accepted(name="Ann"), "ask-2": accepted(color="red"), "ask-3": sampled("roses")}
    roots = await server.call("three", answers, asked.state)
    assert [each["method"] for each in roots.requests.values()] == ["roots/list"]
    done = await server.call("three", {"ask-4": {"roots": [{"uri": "file:///a"}]}}, roots.state)
    assert done.text == "Ann red roses ['file:///a']"


async def test_what_steps_ask(server: Server) -> None:
    said = await server.call("by_steps")
    for key in ("first/ask-1", "ask-1", "greet/ask-1"):
        assert list(said.requests) == [key]
        said = await server.call("by_steps", {key: accepted(name=key)}, said.state)
    assert said.text == "Hello, first/ask-1! ask-1: Hello, greet/ask-1!"


async def test_what_is_made_once(server: Server, tmp_path: Path) -> None:
    arguments = {"mark": str(tmp_path / "mark")}
    asked = await server.call("once", arguments=arguments)
    done = await server.call("once", {"ask-1": accepted(name="Ann")}, asked.state, arguments=arguments)
    assert done.text == "Ann True ZeroDivisionError"
    assert (tmp_path / "mark").read_text() == "made\n"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ({"action": "decline"}, "Declined decline The user declined: Your name?"),
        ({"action": "cancel"}, "Declined cancel The user closed the question without an answer: Your name?"),
        (accepted(name="Ann"), "Ann"),
    ],
)
async def test_what_a_tool_sees_of_an_answer(server: Server, answer: Any, seen: str) -> None:
    asked = await server.call("declined")
    assert (await server.call("declined", {"ask-1": answer}, asked.state)).text == seen


async def test_what_a_caller_can(server: Server) -> None:
    can = {"elicitation": {"form": {}}}
    assert (await server.call("incapable", can=can)).text == "{'sampling': {}} False True"
    assert (await server.plain("incapable")).message["data"] == "{'sampling': {}} False False"
    refused = await server.plain("greet")
    assert refused.message["error"]["code"] == "missing_capability"
    assert refused.message["error"]["requiredCapabilities"] == {"elicitation": {"form": {}}}
    assert refused.status == 400


async def test_a_page(server: Server) -> None:
    asked = await server.call("simple_page")
    assert asked.requests["ask-1"]["params"]["mode"] == "url"
    assert (await server.call("simple_page", {"ask-1": {"action": "accept"}}, asked.state)).text == "opened"


async def test_a_page_that_another_page_completes_cannot_be_asked_for_from_a_process(serve: Make) -> None:
    server = serve(placed_tools.THERE["page"])
    said = await server.call("page")
    await server.runs.processes.close()
    assert said.result["isError"] is True
    assert 'cannot be used with placement="process"' in str(said.result)


@pytest.mark.parametrize("tool", ["greet", "greet_in_a_thread"])
async def test_in_a_session_the_call_waits(server: Server, tool: str) -> None:
    client = await connect(server)
    async with client.call(tool) as messages:
        for name in ("rude", "Ann"):
            question = await anext(messages)
            while question.get("method") != "elicitation/create":
                question = await anext(messages)
            await client.respond(question, accepted(name=name))
        last = await anext(messages)
    assert last["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_a_question_that_is_withdrawn(server: Server) -> None:
    client = await connect(server, ALL)
    async with client.call("impatient") as messages:
        async for message in messages:
            if "result" in message:
                break
    assert message["result"]["content"][0]["text"] == "nobody answered"
