"""What a model writes in the wrong type is repaired where one thing can be meant: at each door, counted."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import quote

import pytest
from author_calls import taking
from jsonschema import Draft202012Validator
from pydantic import AfterValidator, BaseModel, Field, PastDate

from mcp_app import Tool, create_app, errors, tool

ROUTE = "/api/v1/mcp/sse"
JSON = {"Accept": "application/json"}


class Port(BaseModel):
    number: int
    open: bool = False
    name: str = "http"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    lives: str = "one"


@pytest.mark.parametrize(
    ("annotation", "given", "taken"),
    [
        (int, "5", 5),
        (int, "5.0", 5),
        (float, "5", 5.0),
        (bool, "true", True),
        (int | None, "null", None),
        (Literal[1, 2], "2", 2),
        (list[int], "[1,2]", [1, 2]),
        (list[int], '["1",2]', [1, 2]),
        (list[str], '["1"]', ["1"]),
        (set[int], "[1]", {1}),
        (tuple[int, str], ["1", "1"], (1, "1")),
        (dict[str, int], '{"a":"1"}', {"a": 1}),
        (Port, '{"number":"80","open":"true","name":"80"}', Port(number=80, open=True, name="80")),
        (Port, {"number": 80, "open": None, "name": None}, Port(number=80)),
        (list[Port], [{"number": "80", "open": None}], [Port(number=80)]),
        (Port | None, {"number": "80"}, Port(number=80)),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cat", "lives": "7"}, Cat(kind="cat", lives=7)),
        (Cat | Dog, {"kind": "dog", "lives": "7"}, Dog(kind="dog", lives="7")),
        (int | str, "5", "5"),
        (list[int] | str, "[1]", "[1]"),
        (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
        (int | datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
        (Any, "5", "5"),
    ],
)
def test_what_is_taken(annotation: Any, given: Any, taken: Any) -> None:
    made = taking(annotation)
    validated = made.validated({"x": given})
    assert validated.arguments == {"x": taken}
    assert type(validated.arguments["x"]) is type(taken)
    fits = Draft202012Validator(dict(made.input_schema)).is_valid
    assert fits(validated.params)
    assert (validated.repaired == 0) == fits({"x": given})


@pytest.mark.parametrize(
    ("annotation", "given"),
    [(int, "5"), (bool, "true"), (list[int], "[1]"), (Port, '{"number":1}'), (Port, {"number": 1, "open": None})],
)
def test_a_strict_tool_takes_what_is_listed(annotation: Any, given: Any) -> None:
    made = taking(annotation, strict=True)
    with pytest.raises(errors.InvalidParams):
        made.arguments({"x": given})
    with pytest.raises(errors.InvalidParams):
        made.from_query({"x": given}, {})
    assert taking(annotation).arguments({"x": given})


def test_null_for_what_has_a_default() -> None:
    @tool
    def f(
        a: int,
        b: int = 2,
        c: str = "c",
        d: int | None = 4,
        e: Annotated[list[int], Field(default_factory=list)] = ...,  # type: ignore[assignment]
    ) -> None: ...

    given = {"a": 1, "b": None, "c": None, "d": None, "e": None}
    assert f.validated(given) == ({"a": 1, "b": 2, "c": "c", "d": None, "e": []}, {"a": 1, "d": None}, 3)
    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"a": None})
    assert raised.value.details == ({"field": "params.a", "problem": "Input should be a valid integer, such as 5"},)


def test_right_arguments_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("repaired without need")

    monkeypatch.setattr("mcp_app.authoring.signature.repair", never)
    assert taking(list[Port]).arguments({"x": [{"number": 1}]}) == {"x": [Port(number=1)]}


# --- what is said of the rest ----------------------------------------------------------------------------------------


def problems(made: Tool, **params: Any) -> dict[str, str]:
    with pytest.raises(errors.InvalidParams) as raised:
        made.arguments(params)
    return {each["field"]: each["problem"] for each in raised.value.details}


def test_what_would_be_right_is_said_with_an_example() -> None:
    assert problems(taking(int | list[int] | None), x="a") == {
        "params.x": "Input should be an integer, an array or null, such as 5"
    }
    assert problems(taking(Annotated[int, Field(ge=10)]), x=1) == {
        "params.x": "Input should be greater than or equal to 10, such as 10"
    }
    assert problems(taking(str), x=5) == {"params.x": "Input should be a valid string"}
    assert problems(taking(datetime.date), x="soon")["params.x"].endswith(', such as "2026-01-31"')
    assert problems(taking(PastDate), x="2999-01-01") == {"params.x": "Date should be in the past"}
    assert problems(taking(Port), x="{") == {"params.x": 'Input should be an object, such as {"number":5}'}
    assert problems(taking(dict[int, int]), x={"a": 1})["params.x.a.[key]"].startswith("Input should be a valid int")
    assert problems(taking(Annotated[int, AfterValidator(lambda _: [][0])] | int), x="a")


def test_all_unknown_names_are_named_at_once() -> None:
    @tool
    def f(a: int, port: Port | None = None) -> None: ...

    names = [f"x{each}" for each in range(30)]
    with pytest.raises(errors.InvalidParams) as raised:
        f.arguments({"a": 1, **dict.fromkeys(names, 1)})
    assert raised.value.message == f"params: There are no fields named {', '.join(names)}."
    assert problems(f, a="x", port={"number": 1, "y": 1, "z": 1}, more=1) == {
        "params.port": "There are no fields named y, z",
        "params.a": "Input should be a valid integer, such as 5",
        "params.more": "There is no field of this name",
    }


def test_an_error_of_the_whole_model_is_of_the_parameters() -> None:
    from pydantic import model_validator

    class Range(BaseModel):
        low: int
        high: int

        @model_validator(mode="after")
        def ordered(self) -> Range:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    @tool(parameters=Range)
    def f(x: Range) -> None: ...

    assert problems(f, low=2, high=1) == {"params": "Value error, low is above high"}


# --- at the doors ----------------------------------------------------------------------------------------------------


@tool(read_only=True)
def add(
    a: Annotated[int, Field(json_schema_extra={"x-mcp-header": "First"})],
    b: int = 2,
    tags: list[str] = [],  # noqa: B006 - as people write it; it is copied for each call
) -> str:
    return f"{a + b} {tags}"


@pytest.fixture
async def client() -> Any:
    app = create_app(tools=[add])
    async with app.test_app() as running:
        yield running.test_client()


async def count(client: Any) -> int:
    text = (await (await client.get("/metrics")).get_data()).decode()
    (line,) = [each for each in text.splitlines() if each.startswith("mcp_app_arguments_repaired_total ")]
    return int(line.split()[1])


async def data(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await answer.get_data())
    return found


GIVEN = {"a": "1", "b": None, "tags": '["x"]'}


async def test_by_post_and_detached(client: Any) -> None:
    body = {"tool": "add", "params": GIVEN}
    assert (await data(await client.post(ROUTE, json=body, headers=JSON)))["data"] == "3 ['x']"
    assert await count(client) == 3
    detached = await client.post("/api/v1/mcp/runs", json=body)
    assert detached.status_code == 202
    assert await count(client) == 6
    wrong = await data(await client.post(ROUTE, json={"tool": "add", "params": {"a": "one"}}, headers=JSON))
    assert wrong["error"]["message"] == "params.a: Input should be a valid integer, such as 5."
    assert await count(client) == 6


async def test_by_get_params_are_json_and_the_rest_is_text(client: Any) -> None:
    async def got(params: Any, more: str = "") -> Any:
        query = f"?tool=add&params={quote(json.dumps(params))}{more}"
        return await data(await client.get(ROUTE + query, headers=JSON))

    assert (await got(GIVEN))["data"] == "3 ['x']"
    assert (await got({"tags": '["x"]'}, "&a=1"))["data"] == "3 ['x']"
    assert (await got({"b": None}, "&a=1&tags=x"))["data"] == "3 ['x']"
    assert await count(client) == 5
    for given in ({"b": "1_0"}, {"b": True}, {"tags": [5]}):  # which a text in the query may become
        refused = await got(given, "&a=1")
        assert refused["error"]["details"][0]["field"].startswith(f"params.{next(iter(given))}")
        assert len(refused["error"]["details"]) == 1


async def test_run_keys_compare_what_was_repaired(client: Any) -> None:
    key = "k" * 16

    async def started(**params: Any) -> Any:
        target = f"{ROUTE}?tool=add&run={key}&params={quote(json.dumps(params))}"
        return await client.get(target, headers={"Accept": "text/event-stream"})

    first = (await (await started(a="1.0", b=None, tags='[ "x" ]')).get_data()).decode()
    again = (await (await started(a=1, tags=["x"])).get_data()).decode()
    assert first.partition("id:")[2] == again.partition("id:")[2]
    assert "\"3 ['x']\"" in again
    assert await count(client) == 3
    assert (await started(a=2)).status_code == 409


async def test_by_mcp_with_and_without_sessions(client: Any) -> None:
    headers = {"Accept": "application/json, text/event-stream"}

    async def send(method: str, params: dict[str, Any], **more: str) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await client.post("/mcp", json=body, headers={**headers, **more})
        text = (await answer.get_data()).decode()
        return answer, json.loads(text if text.startswith("{") else text.rpartition("data: ")[2])

    info = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    opened, _ = await send("initialize", info)
    session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-06-18"}
    _, called = await send("tools/call", {"name": "add", "arguments": GIVEN}, **session)
    assert called["result"]["content"][0]["text"] == "3 ['x']"
    _, wrong = await send("tools/call", {"name": "add", "arguments": {"a": "one"}}, **session)
    assert "arguments.a: Input should be a valid integer, such as 5" in wrong["result"]["content"][0]["text"]
    assert await count(client) == 3

    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "a", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "add"}
    call = {"name": "add", "arguments": {**GIVEN, "a": "1.0"}, "_meta": meta}
    _, called = await send("tools/call", call, **modern, **{"Mcp-Param-First": "1"})
    assert called["result"]["content"][0]["text"] == "3 ['x']"
    assert await count(client) == 6
    for first in ({"Mcp-Param-First": "2"}, {}):
        answer, refused = await send("tools/call", call, **modern, **first)
        assert (answer.status_code, refused["error"]["code"]) == (400, -32020)


def test_a_number_in_a_repaired_text_is_what_it_would_be_without() -> None:
    made = taking(list[int | Decimal])
    expected = made.arguments({"x": [2.607590073013451e16]})
    assert expected == {"x": [Decimal("26075900730134510")]}
    assert made.arguments({"x": "[2.607590073013451e16]"}) == expected
    assert made.arguments({"x": "[5.0]"}) == made.arguments({"x": [5.0]})
