"""requestState between real processes: another node, a restart, another secret, a changed one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from asks_stage import META, VERSION, accepted
from live_server import LiveServer, process

OLD, NEW = "the-old-secret-0123", "the-new-secret-4567"

TOOLS = '''
from pydantic import BaseModel

from mcp_app import Context, tool


class Name(BaseModel):
    name: str


@tool
async def greet(ctx: Context) -> str:
    """Greet whoever it is."""
    return f"Hello, {(await ctx.ask(Name, 'Name?', key='n')).name}!"


@tool(once=True)
async def pay(ctx: Context) -> str:
    """Pay once."""
    return f"Paid by {(await ctx.ask(Name, 'Who pays?', key='n')).name}."
'''


@contextmanager
def node(folder: Path, secret: str) -> Iterator[LiveServer]:
    (folder / "tools.py").write_text(TOOLS, encoding="utf-8")
    with process("tools.py", cwd=folder, env={"MCP_APP_SECRET": secret}) as server:
        yield server


def call(server: LiveServer, tool: str = "greet", state: str | None = None, **arguments: Any) -> tuple[int, Any]:
    """The status and the message of a call, in its first round or with the answer and a state."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if state is not None:
        params |= {"requestState": state, "inputResponses": {"n": accepted(name="Ann")}}
    params["_meta"] = {
        f"{META}protocolVersion": VERSION,
        f"{META}clientCapabilities": {"elicitation": {}},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    body = {"jsonrpc": "2.0", "id": "call 7", "method": "tools/call", "params": params}
    answer = httpx.post(f"{server.url}/mcp", json=body, headers=headers, timeout=30)
    message = answer.json()
    assert message["id"] == "call 7"
    return answer.status_code, message


def asked(server: LiveServer, tool: str = "greet") -> str:
    status, message = call(server, tool)
    assert (status, message["result"]["resultType"]) == (200, "input_required")
    state: str = message["result"]["requestState"]
    return state


def text(said: tuple[int, Any]) -> str:
    status, message = said
    assert status == 200
    found: str = message["result"]["content"][0]["text"]
    return found


def refused(said: tuple[int, Any]) -> str:
    status, message = said
    assert (status, message["error"]["code"]) == (400, -32602)
    assert message["error"]["data"]["code"] == "request_state_refused"
    reason: str = message["error"]["data"]["reason"]
    return reason


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("one", "other")]
    for each in made:
        each.mkdir()
    return made


def test_a_call_is_continued_on_another_node_and_after_a_restart(folders: list[Path]) -> None:
    one, other = folders
    with node(one, OLD) as first, node(other, OLD) as second:
        state = asked(first)
        assert text(call(second, state=state)) == "Hello, Ann!"
        once = asked(first, "pay")
        assert refused(call(second, "greet", once)) == "other_request"
        assert refused(call(second, "pay", once[:-4] + "AAAA")) == "tampered"
        assert text(call(second, "pay", once)) == "Paid by Ann."
        assert refused(call(second, "pay", once)) == "used"
    with node(one, OLD) as restarted:
        assert text(call(restarted, state=state)) == "Hello, Ann!"


def test_a_secret_is_changed_node_by_node_without_refusing_a_call(folders: list[Path]) -> None:
    one, other = folders
    with ExitStack() as nodes:
        with node(one, OLD) as before:
            by_old = asked(before)
        first = nodes.enter_context(node(one, f"{OLD},{NEW}"))
        second = nodes.enter_context(node(other, f"{NEW} {OLD}"))
        by_new = asked(second)
        assert text(call(first, state=by_old)) == "Hello, Ann!"
        assert text(call(second, state=by_old)) == "Hello, Ann!"
        assert text(call(first, state=by_new)) == "Hello, Ann!"
    with node(one, NEW) as after:
        assert refused(call(after, state=by_old)) == "tampered"
        assert text(call(after, state=by_new)) == "Hello, Ann!"


def test_a_secret_that_is_too_short_stops_the_start_and_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="did not start") as caught, node(tmp_path, f"{OLD},short-one"):
        pass
    said = str(caught.value)
    assert "MCP_APP_SECRET: secret 2 of 2 has 9 characters" in said
    assert "short-one" not in said
    assert OLD not in said
