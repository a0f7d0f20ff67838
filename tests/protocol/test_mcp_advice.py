"""What errors advise in MCP: nothing that only the plain dialect has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_app.protocol import asking, errors
from mcp_app.protocol.errors import InvalidParams, McpAppError
from mcp_app.protocol.mcp.advice import invalid_arguments, object_in_mcp
from mcp_app.protocol.mcp.rpc_error import rpc_error

OF_THE_PLAIN_DIALECT = ("route", '{"tool"', "detached", "Retry-After", "params", "text/event-stream for")


def concrete(root: type[McpAppError] = McpAppError) -> Iterator[type[McpAppError]]:
    for each in root.__subclasses__():
        if hasattr(each, "code") and each.__module__ in {errors.__name__, asking.__name__}:
            yield each
        yield from concrete(each)


# Of the endpoint, which answers in the plain dialect's form before a dialect is chosen.
NOT_IN_MCP = {errors.NotReadOnly, errors.RunConflict, errors.UnknownRoute}


@pytest.mark.parametrize("each", [each for each in concrete() if each not in NOT_IN_MCP])
def test_no_advice_names_what_is_not_there(each: type[McpAppError]) -> None:
    hint = object_in_mcp({"code": each.code, "message": "m", "hint": each.hint}).get("hint", "no hint")
    assert hint
    assert not [word for word in OF_THE_PLAIN_DIALECT if word in hint]


def test_an_authors_hint_stays() -> None:
    assert (
        object_in_mcp({"code": "x", "message": "m", "hint": "the runs route is nice"})["hint"]
        == "the runs route is nice"
    )


def test_similar_names_stand_in_the_message() -> None:
    refused = rpc_error(errors.UnknownTool("There is no tool named 'ad'.", suggestion="Did you mean add?"))
    assert refused.message == "There is no tool named 'ad'. Did you mean add?"
    assert refused.data["hint"] == "tools/list names every tool."


@pytest.mark.parametrize("fields", [["arguments.a"], ["arguments.a.0.b", "arguments.c"], ["arguments"]])
def test_each_problem_of_arguments_is_said_once(fields: list[str]) -> None:
    details = [{"field": field, "problem": "It is wrong"} for field in fields]
    said = invalid_arguments(InvalidParams("m", details=details), "add", {"properties": {"a": {}, "b": {}}})
    assert said.message == " ".join(f"{each}: It is wrong." for each in fields)
    assert [each["field"] for each in said.details] == fields
    assert said.hint == "The arguments of add are: a, b."


def test_a_tool_without_arguments_says_so() -> None:
    said = invalid_arguments(InvalidParams("m", details=[{"field": "arguments.a", "problem": "p"}]), "now", {})
    assert said.hint == "now takes no arguments."
