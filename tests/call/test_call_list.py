"""`mcp-app list`: the tools of a server, and of files that nobody serves, as a person reads them and as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from command_line import COMMAND, call, terminal
from live_server import LiveServer, serving
from pydantic import BaseModel, Field

from mcp_app import Settings, create_app, tool
from mcp_app.client.tool_text import tool_lines


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    children: list[Node] = []


@tool(read_only=True)
async def greet(
    name: Annotated[str, Field(description="Whom to\n greet.")],
    times: Annotated[int, Field(ge=1, le=10)] = 1,
    colours: list[Colour] | None = None,
    mode: Literal["fast", "slow"] = "fast",
    tree: Node | None = None,
) -> str:
    """Greet
    somebody.

    And more of it.
    """
    return name


@tool
async def wipe() -> None:
    """Take \x1b[31mall away."""


TEXT = """\
greet  (read only)
  Greet somebody.
    name: string, required. Whom to greet.
    times: integer from 1 to 10, 1 by default
    colours: list of "red" | "blue"
    mode: "fast" | "slow", "fast" by default
    tree: object

wipe
  Take \\x1b[31mall away.
"""


@pytest.fixture
async def own() -> AsyncIterator[LiveServer]:
    async with serving(create_app(Settings(), [greet, wipe])) as live:
        yield live


@pytest.fixture(autouse=True)
def listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`call(…)` and `terminal(…)` run `mcp-app list`."""
    monkeypatch.setattr("command_line.COMMAND", [*COMMAND[:-1], "list"])


async def test_the_tools_of_a_server(own: LiveServer) -> None:
    for url in (own.url, f"{own.url}/api/v1/mcp/sse"):
        seen = await call(url)
        assert (seen.status, seen.err) == (0, "")
        assert seen.out == TEXT


async def test_over_tls_in_a_terminal(own: LiveServer) -> None:
    async with terminal(f"https://localhost:{own.tls_port}/", "--cacert", own.ca, columns=200) as shown:
        assert await shown.end() == 0
    assert shown.plain.replace("\r\n", "\n") == TEXT


async def test_as_json_it_is_what_the_route_answers(own: LiveServer) -> None:
    seen = await call(own.url, "--json")
    assert seen.status == 0
    assert len(seen.lines) == 1
    tools = json.loads(seen.out)["tools"]
    assert [each["name"] for each in tools] == ["greet", "wipe"]
    assert tools[0]["input_schema"]["required"] == ["name"]


async def test_the_tools_of_files_are_listed_alike(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'from mcp_app import tool\n\n@tool\ndef one(x: int = 2) -> int:\n    "One."\n    return x\n'
    )
    (tmp_path / "b.py").write_text('from mcp_app import tool\n\n@tool\ndef two() -> int:\n    "Two."\n    return 2\n')
    seen = await call("a.py", "b.py", cwd=tmp_path)
    assert (seen.status, seen.err) == (0, "")
    assert seen.out == "one\n  One.\n    x: integer, 2 by default\n\ntwo\n  Two.\n"
    as_json = await call("b.py", "--json", cwd=tmp_path)
    assert [each["name"] for each in json.loads(as_json.out)["tools"]] == ["two"]


async def test_of_files_it_names_the_texts_that_clients_cut(tmp_path: Path) -> None:
    define = 'from mcp_app import tool\n\n@tool(description="y" * 3000)\ndef one() -> int:\n    return 1\n'
    (tmp_path / "a.py").write_text(f'"""{"x" * 2049}"""\n{define}')
    seen = await call("a.py", cwd=tmp_path)
    assert seen.status == 0
    [line] = seen.err.splitlines()
    assert line.startswith("mcp-app: longer than the 2,048 characters")
    assert line.endswith(": instructions (2,049 characters), tool one (3,000 characters)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "from mcp_app import tool\n\n@tool\nasync def f(x: object()) -> int:\n    return 1\n",
            "ToolDefinitionError: f: the annotation of the parameter x",
        ),
        ("1 / 0\n", "a.py:1: ZeroDivisionError: division by zero"),
        ("", "a.py: no tools"),
    ],
)
async def test_a_file_that_cannot_be_served_is_one_line_and_status_1(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.py").write_text(text)
    seen = await call("a.py", cwd=tmp_path)
    assert (seen.status, seen.out) == (1, "")
    assert said in seen.err
    assert len(seen.err.splitlines()) == 1


async def test_what_is_no_such_server_is_said_as_by_call(own: LiveServer) -> None:
    seen = await call("http://127.0.0.1:1/")
    assert seen.status == 3
    assert seen.err.startswith("mcp-app list: http://127.0.0.1:1/mcp.json cannot be reached")
    seen = await call(f"{own.url}/healthz/x")
    assert seen.status == 2
    assert seen.err.startswith("mcp-app list: not_found: ")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "any value"),
        ({}, "any value"),
        ({"type": ["string", "null"]}, "string"),
        ({"anyOf": [{"type": "integer"}, {"type": "string", "format": "date"}]}, "integer or string (date)"),
        ({"type": "array", "items": {"type": "array", "items": {}}}, "list of list of values"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1.5}, "number above 0 to 1.5"),
        ({"enum": list(range(20))}, " | ".join(map(str, range(12))) + " | …"),
        ({"type": "string", "default": "x" * 100}, f'string, "{"x" * 59}… by default'),
        ({"$ref": "#/$defs/none"}, "any value"),
    ],
)
def test_a_type_in_words(schema: Any, words: str) -> None:
    tools = [{"name": "t", "input_schema": {"properties": {"p": schema}}}]
    assert list(tool_lines(tools)) == ["t", f"    p: {words}"]


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (1, []),
        (None, []),
        ({}, []),
        ({"name": None, "description": "Nameless."}, []),
        ({"name": "x", "input_schema": {"properties": [], "required": 1}}, ["x"]),
    ],
)
def test_what_another_server_says_oddly_is_left_out(tool: Any, said: list[str]) -> None:
    assert list(tool_lines([tool])) == said
    assert list(tool_lines([tool, {"name": "y"}])) == [*said, *([""] if said else []), "y"]
