"""`@tool(at_once=…, per=…, waiting=…)`: what is refused, and which calls share a queue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr

from mcp_app import tool
from mcp_app.protocol.errors import ToolDefinitionError


def fetch(domain: str, depth: int = 1) -> None: ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_once": 0}, "fetch: at_once is 0, not a number of calls, 1 or more."),
        ({"at_once": True}, "fetch: at_once is True, not a number of calls, 1 or more."),
        ({"at_once": 1.5}, "fetch: at_once is 1.5, not a number of calls, 1 or more."),
        ({"at_once": 1, "waiting": -1}, "fetch: waiting is -1, not a number of calls, 0 or more."),
        ({"per": "domain"}, "fetch: per says how calls wait for each other: give at_once, too."),
        ({"waiting": 5}, "fetch: waiting says how calls wait for each other: give at_once, too."),
        (
            {"at_once": 1, "per": "domian"},
            "fetch: per is 'domian', which is none of its parameters. Did you mean domain?",
        ),
        (
            {"at_once": 1, "per": ["x"]},
            "fetch: per is ['x'], which is none of its parameters. There are domain, depth.",
        ),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolDefinitionError, match=f"^{re.escape(message)}$"):
        tool(**options)(fetch)


def test_the_default_is_no_limit() -> None:
    assert tool(fetch).at_once is None


def queues(made: Any, *params: dict[str, Any]) -> list[bytes]:
    return [made.at_once.queue(made.arguments(each)) for each in params]


def test_all_calls_share_one_queue() -> None:
    made = tool(at_once=4)(fetch)
    assert (made.at_once.calls, made.at_once.waiting) == (4, 100)
    assert queues(made, {"domain": "a"}, {"domain": "b"}) == [b"", b""]


def test_calls_with_one_value_share_a_queue_a_default_among_them() -> None:
    made = tool(at_once=1, per="depth")(fetch)
    assert queues(made, {"domain": "a"}, {"domain": "b", "depth": 1}, {"domain": "a", "depth": 2}) == [b"1", b"1", b"2"]


def test_a_parameter_is_named_as_callers_name_it() -> None:
    @tool(at_once=1, per="theName")
    def aliased(name: Annotated[str, Field(alias="theName")]) -> None: ...

    assert queues(aliased, {"theName": "a"}) == [b'"a"']


class Query(BaseModel):
    """Parameters as a model."""

    site: str = Field(alias="domain")
    bytes_: bytes = b"\xff"


def test_a_field_of_the_model_of_all_parameters() -> None:
    @tool(at_once=1, per="domain", parameters=Query)
    def of_model(query: Query) -> None: ...

    assert queues(of_model, {"domain": "a"}) == [b'"a"']
    with pytest.raises(ToolDefinitionError, match="There are domain, bytes_"):
        tool(at_once=1, per="site", parameters=Query)(of_model.function)


def test_little_is_kept_of_a_large_value() -> None:
    @tool(at_once=1, per="x")
    async def fetch(x: Any) -> None: ...

    one, same, other = queues(fetch, {"x": "a" * 10**6 + "b"}, {"x": "a" * 10**6 + "b"}, {"x": "a" * 10**6 + "c"})
    assert one == same != other
    assert len(one) <= 32


def test_a_value_that_json_lacks() -> None:
    @tool(at_once=1, per="x")
    def odd(x: Annotated[bytes, Field()] = b"\xff\xfe") -> None: ...

    assert len(set(queues(odd, {}, {"x": "a"}))) == 2


class Site(BaseModel):
    domain: str
    options: dict[str, Any] = {}


@dataclass
class Place:
    tags: set[str]


def _of(*texts: str) -> dict[str, int]:
    return {text: len(text) for text in texts}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_of("a", "bc"), _of("bc", "a")),
        ([_of("a", "bc")], [_of("bc", "a")]),
        (Site(domain="a", options=_of("a", "bc")), Site(domain="a", options=_of("bc", "a"))),
        (1, 1.0),
        (0.0, -0.0),
        (float("nan"), float("nan")),
        ({8, 0}, {0, 8}),  # two of one hash table's place: in the order in which they came
        (Place({"a", "b"}), Place({"b", "a"})),
        (frozenset([(8, 0)]), frozenset([(8, 0)])),
    ],
)
def test_equal_values_share_a_queue_however_they_are_written(one: Any, other: Any) -> None:
    @tool(at_once=1, per="x")
    async def fetch(x: Any) -> None: ...

    assert fetch.at_once is not None
    assert fetch.at_once.queue({"x": one}) == fetch.at_once.queue({"x": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SecretStr("a"), SecretStr("b")),
        (Site(domain="a", options={"key": SecretBytes(b"a")}), Site(domain="a", options={"key": SecretBytes(b"b")})),
        (1, "1"),
        (1, True),
        (None, "null"),
        ([1], {1: 1}),
        ([1, 2], [2, 1]),
        ({1, 2}, {1, 3}),
        (1.5, 1),
        (_of("a"), {}),
    ],
)
def test_different_values_have_queues_of_their_own(one: Any, other: Any) -> None:
    @tool(at_once=1, per="x")
    async def fetch(x: Any) -> None: ...

    assert fetch.at_once is not None
    assert fetch.at_once.queue({"x": one}) != fetch.at_once.queue({"x": other})


def test_arguments_that_a_validator_failed_on_work_on_nothing() -> None:
    from pydantic import AfterValidator

    def broken(_: str) -> str:
        raise RuntimeError("broken")

    @tool(at_once=1, per="x")
    def fails(x: Annotated[str, AfterValidator(broken)]) -> None: ...

    assert queues(fails, {"x": "a"}) == [b""]
