"""Tool results in a conversation that the client's model is to continue (client/sampling, Tools in Sampling)."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_app.asking import asker as asks

TEXT = {"type": "text", "text": "x"}


def use(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "weather", "input": {}}


def result(name: str) -> dict[str, Any]:
    return {"type": "tool_result", "toolUseId": name, "content": [TEXT]}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def model(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def sampling(*messages: Any) -> Any:
    return asks.sampling(list(messages), {"maxTokens": 1})


@pytest.mark.parametrize(
    "messages",
    [
        (user(TEXT),),
        (user(TEXT), model(use("a")), user(result("a"))),
        (user(TEXT), model(TEXT, use("a"), use("b")), user(result("b"), result("a"))),
        (user(TEXT), model(use("a")), user(result("a")), model(use("a")), user(result("a"))),
        (user(TEXT), {"role": "assistant", "content": use("a")}, {"role": "user", "content": result("a")}),
    ],
)
def test_each_use_has_its_result(messages: Any) -> None:
    assert sampling(*messages).params["messages"] == list(messages)


@pytest.mark.parametrize(
    "messages",
    [
        (model(use("a")),),
        (model(use("a")), user(TEXT)),
        (model(use("a")), user(result("b"))),
        (model(use("a"), use("b")), user(result("a"))),
        (model(use("a")), user(result("a"), result("a"))),
        (model(use("a")), user(result("a"), result("b"))),
        (model(use("a")), user(TEXT), user(result("a"))),
        (user(result("a")),),
        (model(TEXT), user(result("a"))),
    ],
)
def test_a_use_without_its_result_or_a_result_without_its_use_is_refused(messages: Any) -> None:
    with pytest.raises(ValueError, match="one result of its toolUseId"):
        sampling(*messages)


@pytest.mark.parametrize("mixed", [user(result("a"), TEXT), user(TEXT, result("a")), model(result("a"))])
def test_results_stand_alone_in_a_message_of_the_user(mixed: Any) -> None:
    with pytest.raises(ValueError, match="has nothing else in it"):
        sampling(user(TEXT), model(use("a")), mixed)


def test_uses_are_the_assistants() -> None:
    with pytest.raises(ValueError, match="is the assistant's"):
        sampling(user(use("a")), user(result("a")))


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, {}),
        ({"includeContext": "none"}, {}),
        ({"includeContext": "thisServer"}, {"context": {}}),
        ({"includeContext": "allServers", "tools": []}, {"tools": {}, "context": {}}),
    ],
)
def test_what_a_client_may_lack_has_to_be_declared(options: dict[str, Any], needs: dict[str, Any]) -> None:
    assert asks.sampling("x", {"maxTokens": 1, **options}).needs == {"sampling": needs}
