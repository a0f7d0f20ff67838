"""MCP 2026-07-28, basic/patterns/mrtr and client/*: what asks back, whom, and what may be brought back.

What an answer to a question may be, and what is asked again, is tests/asks/test_asks_rounds.py's; how a state is sealed
tests/protocol/test_seal.py's.
"""

from __future__ import annotations

from typing import Any

import pytest
from modern_client import ALL, Stage, stage
from modern_requests import ALL_METHODS, CAN_ALL

ASKING: list[tuple[str, dict[str, Any], str]] = [
    ("tools/call", {"name": "greet"}, "elicitation/create"),
    ("tools/call", {"name": "complete_a_poem"}, "sampling/createMessage"),
    ("tools/call", {"name": "look_around"}, "roots/list"),
    ("prompts/get", {"name": "ask_first"}, "elicitation/create"),
    ("resources/read", {"uri": "test://asked"}, "elicitation/create"),
]
ACCEPTED = {"who": {"action": "accept", "content": {"name": "Ada"}}}
GREET = {"name": "greet"}
REFUSED = (400, -32602)


async def state_of(here: Stage, method: str = "tools/call", params: Any = None) -> str:
    state = (await here.ask(method, params or GREET)).result["requestState"]
    assert isinstance(state, str)
    return state


@pytest.mark.parametrize(("method", "params", "asked"), ASKING)
async def test_what_is_asked_is_one_of_three_requests(
    here: Stage, method: str, params: dict[str, Any], asked: str
) -> None:
    result = (await here.ask(method, params)).result
    assert result["resultType"] == "input_required"
    assert [each["method"] for each in result["inputRequests"].values()] == [asked]
    assert isinstance(result["requestState"], str)


@pytest.mark.parametrize(("method", "params", "asked"), ASKING)
async def test_what_waits_for_input_is_not_to_be_cached(
    here: Stage, method: str, params: dict[str, Any], asked: str
) -> None:
    result = (await here.ask(method, params)).result
    assert not {"ttlMs", "cacheScope"} & set(result), asked


async def test_no_other_method_asks_back(here: Stage) -> None:
    for method, params in ALL_METHODS:
        if method not in {"tools/call", "prompts/get", "resources/read", "subscriptions/listen"}:
            assert (await here.ask(method, params, capabilities=CAN_ALL)).result["resultType"] == "complete"


@pytest.mark.parametrize(("method", "params", "asked"), ASKING)
async def test_nobody_is_asked_for_what_he_did_not_declare(
    here: Stage, method: str, params: dict[str, Any], asked: str
) -> None:
    capability = asked.partition("/")[0]
    for can in ({}, {name: value for name, value in ALL.items() if name != capability}):
        answer = await here.ask(method, params, capabilities=can)
        code, status = answer.error["code"], answer.status
        assert (code, status) == (-32021, 400)
        assert list(answer.error["data"]["requiredCapabilities"]) == [capability]


async def test_a_client_need_not_come_back(here: Stage) -> None:
    """Rounds that nobody goes on with keep nothing: each first round is as the first."""
    for _ in range(50):
        assert (await here.ask("tools/call", GREET)).result["resultType"] == "input_required"
    assert here.runs.working == 0


async def test_a_retry_is_a_request_of_its_own(here: Stage) -> None:
    state = await state_of(here)
    for id_ in (8, "other", 7):  # and another connection, and the same id: nothing is looked up by them
        retry = {**GREET, "inputResponses": ACCEPTED, "requestState": state}
        answer = await here.ask("tools/call", retry, id=id_)
        assert (answer.id, answer.result["structuredContent"]) == (id_, "Hello Ada")


async def test_a_state_is_opened_by_another_node_of_the_same_secret_and_by_no_other(here: Stage) -> None:
    retry = {**GREET, "inputResponses": ACCEPTED, "requestState": await state_of(here)}
    async with stage() as node:
        assert (await node.ask("tools/call", retry)).result["structuredContent"] == "Hello Ada"
    async with stage(secret="another-secret-long-enough") as stranger:
        assert (await stranger.ask("tools/call", retry)).refusal == REFUSED


async def test_any_change_of_a_state_is_refused(here: Stage) -> None:
    state = await state_of(here)
    last = "A" if state[-1] != "A" else "B"
    for forged in (state[:-1], state + "A", state[:-1] + last, state[1:], state[::-1], state.swapcase(), "", "x", " "):
        retry = {**GREET, "inputResponses": ACCEPTED, "requestState": forged}
        answer = await here.ask("tools/call", retry, id="mine")
        assert answer.refusal == REFUSED, forged
        assert answer.id == "mine"


@pytest.mark.parametrize("state", [1, True, [], {}, ["x"], 1.5])
async def test_a_state_that_is_no_string_is_refused(here: Stage, state: Any) -> None:
    for method, params, _ in ASKING:
        assert (await here.ask(method, {**params, "requestState": state})).refusal == REFUSED


async def test_a_state_belongs_to_its_method_and_parameters(here: Stage) -> None:
    of_greet = await state_of(here)
    of_prompt = await state_of(here, "prompts/get", {"name": "ask_first"})
    of_resource = await state_of(here, "resources/read", {"uri": "test://asked"})
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("tools/call", GREET, of_prompt),
        ("tools/call", GREET, of_resource),
        ("tools/call", {"name": "look_around"}, of_greet),
        ("tools/call", {"name": "greet", "arguments": {"more": 1}}, of_greet),
        ("tools/call", {"name": "add", "arguments": {"first": 1}}, of_greet),
        ("prompts/get", {"name": "ask_first"}, of_greet),
        ("resources/read", {"uri": "test://asked"}, of_prompt),
        ("resources/read", {"uri": "test://text"}, of_resource),
    ]
    for method, params, state in wrong:
        answer = await here.ask(method, {**params, "inputResponses": ACCEPTED, "requestState": state})
        if params.get("arguments", {}).get("more"):  # refused for the argument that there is not, before any state
            assert answer.result["isError"] is True
        else:
            assert answer.refusal == REFUSED, (method, params)


@pytest.mark.parametrize("responses", [None, {}, {"who": None}, {"who": 1}, {"who": {}}, {"other": ACCEPTED["who"]}])
async def test_what_is_missing_is_asked_for_again(here: Stage, responses: Any) -> None:
    answer = await here.ask("tools/call", {**GREET, "inputResponses": responses, "requestState": await state_of(here)})
    assert answer.result["resultType"] == "input_required"
    assert list(answer.result["inputRequests"]) == ["who"]


@pytest.mark.parametrize("responses", [1, True, "x", [], [ACCEPTED]])
async def test_responses_that_are_no_object_are_refused(here: Stage, responses: Any) -> None:
    for method, params, _ in ASKING:
        answer = await here.ask(method, {**params, "inputResponses": responses})
        assert answer.refusal == REFUSED


async def test_responses_to_who_asked_nothing_are_passed_over(here: Stage) -> None:
    params = {"name": "add", "arguments": {"first": 1}, "inputResponses": {"nobody": 1, **ACCEPTED}}
    assert (await here.ask("tools/call", params)).result["structuredContent"] == 1
