"""The ways to a result that takes longer than a stream may last, each across a connection that is cut by force.

A row of DOORS is a client and what it does: a 2026 client follows a task, a 2025 client resumes, a browser and curl
start a run and follow it. `outcomes` sends all through at once, into one server. What is right is test_doors.py's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build
import httpx
from cut_proxy import Proxy, proxying
from live_server import LiveServer, certificates, client_tls
from playwright.async_api import async_playwright
from programs import path_of

from mcp_app.protocol.http.sse import Decoder

HERE = Path(__file__).parent
EVENTS, RUNS = "/api/v1/mcp/sse", "/api/v1/mcp/runs"
TASKS = "io.modelcontextprotocol/tasks"
BROWSER = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage")
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Scale:
    """Seconds: of work, of a stream's cap, of quiet before a heartbeat, and of patience with a door."""

    work: float
    cap: float
    heartbeat: float
    patience: float


SMALL = Scale(work=6, cap=2, heartbeat=1, patience=100)
FULL = Scale(work=300, cap=120, heartbeat=15, patience=500)
"""The issue's five minutes, under the caps a server has when nothing is set."""


@dataclass(frozen=True)
class Door:
    """`tool` of doors_served.py, through `enter`.

    `environment` is one of environments.toml, `driver` a program of drivers/, `program` one of programs.py.
    """

    name: str
    enter: Callable[[Visit], Awaitable[dict[str, Any]]]
    tool: str = "work"
    scheme: str = "http"
    environment: str | None = None
    driver: str | None = None
    mode: str = ""
    program: str | None = None
    cuts: tuple[int, ...] = (3, 20)
    """The parts of the work, of 30, after which the connections are cut."""


@dataclass
class Visit:
    """One door being gone through: its own key, and its own way to the server, which can be cut."""

    door: Door
    server: LiveServer
    proxy: Proxy
    scale: Scale
    key: str

    @property
    def url(self) -> str:
        return f"{self.door.scheme}://127.0.0.1:{self.proxy.port}"

    @property
    def call(self) -> dict[str, Any]:
        return {"key": self.key, "seconds": self.scale.work}

    async def step(self, wanted: int) -> None:
        """Wait until the work has sent this part. Asked for beside the door."""
        async with httpx.AsyncClient() as client:
            while True:
                asked = {"tool": "step_of", "params": {"key": self.key}}
                answer = await client.post(self.server.url + EVENTS, json=asked, headers={"Accept": "application/json"})
                if answer.json()["data"] >= wanted:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    async def cut(self) -> None:
        """Reset all connections of this door, whatever goes through them."""
        for step in self.door.cuts:
            await self.step(step)
            self.proxy.cut()


async def outcomes(server: LiveServer, doors: tuple[Door, ...], scale: Scale) -> dict[str, Any]:
    """For each door by name what was seen there, or the exception."""
    found = await asyncio.gather(*(_through(each, server, scale) for each in doors), return_exceptions=True)
    return dict(zip((each.name for each in doors), found, strict=True))


async def _through(door: Door, server: LiveServer, scale: Scale) -> dict[str, Any]:
    async with proxying(server.port if door.scheme == "http" else server.tls_port) as proxy:
        visit = Visit(door, server, proxy, scale, secrets.token_hex(8))
        async with asyncio.timeout(scale.patience):
            seen = await door.enter(visit)
        return {**seen, "connections": proxy.connections}


# --- MCP -------------------------------------------------------------------------------------------------------------


async def library(visit: Visit) -> dict[str, Any]:
    """A program of drivers/, which knows nothing of cuts."""
    door = visit.door
    assert door.environment is not None
    assert door.driver is not None
    if door.environment == "npm":
        command = [str(build.node()), str(build.BUILT / "npm" / "drivers" / door.driver)]
    else:
        command = [str(build.python_of(door.environment)), str(HERE / "drivers" / door.driver)]
    ca = str(certificates().authority)
    told = {"MODE": door.mode, "BOUND": str(visit.scale.patience), "SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca}
    told["WORK"] = json.dumps({"name": door.tool, "arguments": visit.call})
    child = await asyncio.create_subprocess_exec(
        *command,
        f"{visit.url}/mcp",
        "work",
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    cutting = asyncio.create_task(_cut_quietly(visit) if door.mode == "tasks" else visit.cut())
    try:
        out, complaint = await child.communicate()
        assert child.returncode == 0, complaint.decode()
        await cutting
    finally:
        cutting.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()
    said: dict[str, Any] = json.loads(out.decode().splitlines()[-1])["work"]
    return {**said, "task": door.mode == "tasks"}


async def _cut_quietly(visit: Visit) -> None:
    """Cut between two polls, not in one: that one's request may fail is the library's own affair."""
    for step in visit.door.cuts:
        await visit.step(step)
        await visit.proxy.quiet(2 * LOOK_SECONDS)
        visit.proxy.cut()


async def task_by_hand(visit: Visit) -> dict[str, Any]:
    """The requests that the extension prescribes; what a cut breaks is asked for again."""
    async with httpx.AsyncClient(verify=client_tls("http/1.1"), timeout=visit.scale.patience) as client:
        created = await _rpc(client, visit, "tools/call", visit.door.tool, {"arguments": visit.call})
        assert created["resultType"] == "task", created
        cuts = 0
        while True:
            found = await _rpc(client, visit, "tasks/get", created["taskId"], {})
            if found["status"] != "working":
                break
            if cuts < 3:
                cuts += 1
                cutting = asyncio.get_running_loop().call_later(0.001, visit.proxy.cut)
                try:  # in the middle of a request, as it comes
                    await _rpc(client, visit, "tasks/get", created["taskId"], {})
                except httpx.TransportError:
                    pass  # that was the cut
                cutting.cancel()
                visit.proxy.cut()
            await asyncio.sleep(found["pollIntervalMs"] / 1000)
    assert cuts > 0
    result = found["result"]
    kept = [each["step"] for name, parts in result["_meta"].items() if name.endswith("/partial") for each in parts]
    return {"seen": None, "kept": kept, "result": result["structuredContent"], "task": True}


async def _rpc(
    client: httpx.AsyncClient, visit: Visit, method: str, name: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
    }
    named = {"name": name} if method == "tools/call" else {"taskId": name}
    answer = await client.post(
        f"{visit.url}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {**named, **params, "_meta": meta}},
        headers={
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            "Mcp-Name": name,
        },
    )
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = [line[6:] for line in text.splitlines() if line.startswith("data: ")][-1]
    response = json.loads(text)
    assert "result" in response, response
    result: dict[str, Any] = response["result"]
    return result


# --- the plain dialect -----------------------------------------------------------------------------------------------

FOLLOW = """async ([runs, call]) => {
  const started = await fetch(runs, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(call),
  });
  const source = new EventSource(`${started.headers.get("Location")}/events`);
  const events = [];
  let opened = 0;
  source.onopen = () => { opened += 1; };
  await new Promise((resolve) => {
    source.onmessage = ({ data, lastEventId }) => {
      events.push([lastEventId, data]);
      if (["complete", "error"].includes(JSON.parse(data).type)) { source.close(); resolve(); }
    };
  });
  return [events, opened];
}"""


async def browser(visit: Visit) -> dict[str, Any]:
    """Chromium on a page of the server: EventSource comes back by itself."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path_of("chromium"), args=BROWSER)
        try:
            page = await (await chromium.new_context(ignore_https_errors=True)).new_page()
            await page.goto(visit.url)
            cutting = asyncio.create_task(visit.cut())
            events, opened = await page.evaluate(FOLLOW, [RUNS, {"tool": visit.door.tool, "params": visit.call}])
            await cutting
            protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
            spoken = await page.evaluate(protocol)
        finally:
            await chromium.close()
    return {**_followed([(id_, json.loads(data)) for id_, data in events]), "streams": opened, "protocol": spoken}


async def curl(visit: Visit) -> dict[str, Any]:
    """curl is killed in the middle, and told by hand where it was; at the cap its stream ends, and it is told again."""
    program = path_of("curl")
    assert program is not None
    always = (program, "-sS", "-N", "--cacert", str(certificates().authority))
    start = json.dumps({"tool": visit.door.tool, "params": visit.call})
    out = await _output(*always, "-D", "-", "-H", "Content-Type: application/json", "-d", start, visit.url + RUNS)
    found = re.search(rb"(?im)^location: (\S+)", out)
    assert found is not None, out
    protocol = out.split(b" ")[0].decode()
    where = f"{visit.url}{found.group(1).decode()}/events"
    events: list[tuple[str, dict[str, Any]]] = []
    streams = 0
    while not events or events[-1][1]["type"] not in {"complete", "error"}:
        after = ("-H", f"Last-Event-ID: {events[-1][0]}") if events else ()
        child = await asyncio.create_subprocess_exec(*always, *after, where, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        decoder, killed = Decoder(), False
        streams += 1
        try:
            while (data := await child.stdout.read(65536)) and not killed:
                events += [(each.id, json.loads(each.data)) for each in decoder.feed(data) if each.data]
                killed = streams == 1 and len(events) > 3
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()
    return {**_followed(events), "streams": streams, "protocol": protocol}


async def _output(*command: str) -> bytes:
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    return out


def _followed(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    numbers = [int(id_.rpartition("/")[2]) for id_, _ in events]
    seen = [event["data"]["step"] for _, event in events if event["type"] == "progress"]
    return {"numbers": numbers, "seen": seen, "kept": None, "result": events[-1][1].get("data"), "task": False}


# The official Python SDKs come back from a stream that they had resumed, and that was cut, with the id they had resumed
# it by: what came since comes once more. So they are cut once; the cap ends their streams all the same.
ONCE = (3,)

AS_TASKS = (16, 24)
"""When each call is a task, also one that became it near the cap."""

DOORS = (
    Door("2026, by hand, may be a task", task_by_hand, "work_as_task"),
    Door("2026, by hand, near the cap", task_by_hand, "work", "https"),
    Door(
        "2026, fastmcp, the tool may be a task",
        library,
        "work_as_task",
        "http",
        "fastmcp-tasks",
        "use_fastmcp.py",
        "tasks",
    ),
    Door(
        "2026, fastmcp, near the cap",
        library,
        "work",
        "https",
        "fastmcp-tasks",
        "use_fastmcp.py",
        "tasks",
        cuts=AS_TASKS,
    ),
    Door("2025, mcp 1.x", library, "work", "http", "mcp1", "use_mcp1.py", cuts=ONCE),
    Door("2025, mcp 1.x, https", library, "work", "https", "mcp1", "use_mcp1.py", cuts=ONCE),
    Door("2025, mcp 2.x", library, "work", "http", "mcp2", "use_mcp2.py", "legacy", cuts=ONCE),
    Door("2025, npm sdk 1.x", library, "work", "http", "npm", "use_sdk1.mjs"),
    Door("2025, npm client 2.x, https", library, "work", "https", "npm", "use_client2.mjs", "legacy"),
    Door("browser", browser, "work", "http", program="chromium"),
    Door("browser, https", browser, "work", "https", program="chromium"),
    Door("curl", curl, "work", "http", program="curl"),
    Door("curl, https", curl, "work", "https", program="curl"),
)
