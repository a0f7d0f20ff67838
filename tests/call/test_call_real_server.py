"""The command against our own server: what is asked for arrives, Ctrl-C stops the tool, on HTTP/1.1 and HTTP/2."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from client_certificates import Issuer, certificate_of
from command_line import SECONDS, call, piped, terminal
from live_server import LiveServer, serving
from pydantic import Field

from mcp_app import Context, Result, Settings, Tool, ToolError, create_app, tool

PATH = "/api/v1/mcp/sse"


class Endless:
    """A tool that never ends by itself, and what became of its call."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.cancelled = False

    def tool(self) -> Tool:
        @tool(name="endless")
        async def call(ctx: Context) -> None:
            """Never ends by itself."""
            try:
                await ctx.progress(1, 2, "begun")
                self.begun.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            finally:
                self.over.set()

        return call


@tool(read_only=True)
async def everything(
    text: str,
    number: int,
    ports: list[int],
    mode: Literal["1", "2"],
    note: str | None = None,
    limit: Annotated[int | None, Field(ge=0)] = 3,
) -> dict[str, Any]:
    """Give back what came."""
    return {"text": text, "number": number, "ports": ports, "mode": mode, "note": note, "limit": limit}


@tool
async def steps(ctx: Context) -> AsyncIterator[Any]:
    """Three steps."""
    for done in range(1, 4):
        await ctx.progress(done, 3, f"step {done}")
    await ctx.log("warning", "nearly\x1b[2J")
    yield {"partial": True}
    yield Result({"grade": "A"})


@tool
async def broken() -> None:
    """Says why it fails."""
    raise ToolError("The moon is in the way.", hint="Wait.")


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.fixture
async def server(endless: Endless) -> AsyncIterator[LiveServer]:
    app = create_app(Settings(heartbeat_seconds=0.3, cap_seconds=60), [everything, steps, endless.tool(), broken])
    async with serving(app) as live:
        yield live


def doors(server: LiveServer) -> list[list[str]]:
    tls = [server.tls_url, "--cacert", str(server.ca)]
    return [[server.url], [server.url + PATH], tls, [*tls, "--http1"]]


@pytest.mark.parametrize("door", range(4))
async def test_steps_and_result(server: LiveServer, door: int) -> None:
    outcome = await call(*doors(server)[door], "steps")

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.lines[0].startswith("started steps {")
    assert outcome.lines[1:-1] == [
        'progress 1/3 {"message":"step 1"}',
        'progress 2/3 {"message":"step 2"}',
        'progress 3/3 {"message":"step 3"}',
        'log warning "nearly\\u001b[2J"',
        'progress - {"partial":true}',
    ]
    assert outcome.lines[-1].split(" ", 2)[2] == '{"grade":"A"}'


@pytest.mark.parametrize("flags", [[], ["--json"]])
async def test_every_kind_of_parameter_arrives_as_its_schema_says(server: LiveServer, flags: list[str]) -> None:
    words = ["text=5", "number=5", "ports=80", "ports=443", "mode=1", "note:=null", "limit=null"]
    outcome = await call(server.url, "everything", *words, *flags)

    assert (outcome.status, outcome.err) == (0, "")
    result = json.loads(outcome.out)["data"] if flags else json.loads(outcome.lines[-1].split(" ", 2)[2])
    assert result == {"text": "5", "number": 5, "ports": [80, 443], "mode": "1", "note": None, "limit": None}


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nothing"], 2, "unknown_tool"),
        (["steps", "extra=1"], 2, "extra"),
        (["everything", "text=5", "number=five", "ports=80", "mode=1"], 2, "number"),
        (["broken"], 1, "The moon is in the way."),
        (["endless", "--cap-seconds", "0.5"], 4, "time_cap"),
    ],
)
async def test_exit_statuses(server: LiveServer, words: list[str], status: int, said: str, flags: list[str]) -> None:
    outcome = await call(server.url, *words, *flags)

    assert outcome.status == status
    assert said in (outcome.out if flags else outcome.err)


@pytest.mark.parametrize("door", range(4))
async def test_ctrl_c_stops_the_tool(server: LiveServer, endless: Endless, door: int) -> None:
    async with terminal(*doors(server)[door], "endless") as shown:
        await shown.until("♥ 1")
        shown.type("\x03")
        status = await shown.end()
        async with asyncio.timeout(SECONDS):
            await endless.over.wait()

    assert (status, endless.cancelled) == (130, True)
    assert "cancelled: the server has ended the run" in shown.plain


@pytest.mark.parametrize("door", range(4))
@pytest.mark.parametrize("flags", [[], ["--json"]])
async def test_a_killed_command_leaves_no_run_behind(
    server: LiveServer, endless: Endless, door: int, flags: list[str]
) -> None:
    async with piped(*doors(server)[door], "endless", *flags) as child:
        async with asyncio.timeout(SECONDS):
            await endless.begun.wait()
            child.kill()
            await endless.over.wait()

    assert endless.cancelled


async def test_only_the_tool_is_missing_when_it_is(server: LiveServer) -> None:
    outcome = await call(server.url)

    assert outcome.status == 2
    assert outcome.err.splitlines()[-1] == "mcp-app call: error: the following arguments are required: TOOL"


async def test_the_mcp_route_is_called_by_its_name_with_the_url_to_give(server: LiveServer) -> None:
    outcome = await call(f"{server.url}/mcp", "everything")

    assert outcome.status == 2
    assert outcome.err == (
        f"mcp-app call: {server.url}/mcp speaks MCP, not this protocol\n  Give the server's root: {server.url}/\n"
    )


@pytest.mark.parametrize("together", [True, False], ids=["in one file", "in two"])
async def test_who_calls_may_be_said_by_a_certificate(tmp_path: Path, together: bool) -> None:
    @tool
    async def whoami(ctx: Context) -> str:
        return ctx.principal

    issuer = Issuer(tmp_path)
    path = issuer.issue(uris=["spiffe://example.org/laptops/7"])
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(certificate_of(path))
    shown = ["--cert", str(path)] if together else ["--cert", str(certificate), "--key", str(path)]
    app = create_app(Settings(client_certificates="uri"), [whoami])
    async with serving(app, ca_certs=str(issuer.ca)) as server:
        where = [server.tls_url, "--cacert", str(server.ca)]
        outcome = await call(*where, "whoami", "--json", *shown)
        assert json.loads(outcome.out)["data"] == "certificate:uri:spiffe://example.org/laptops/7"
        outcome = await call(*where, "whoami", "--json")
        assert outcome.status != 0
        assert "unauthorized" in outcome.out + outcome.err
