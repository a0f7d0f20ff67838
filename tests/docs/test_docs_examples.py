"""The examples do what they say: each is called as its callers would, by a server of its own or in memory."""

from __future__ import annotations

import asyncio
import hmac
import json
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from doc_page import ROOT, blocks
from live_server import process

from mcp_app import ToolError, outgoing
from mcp_app.testing import Question, client

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SSE = "/api/v1/mcp/sse"


def events(url: str, tool: str, **params: Any) -> list[dict[str, Any]]:
    with httpx.stream("POST", f"{url}{SSE}", json={"tool": tool, "params": params}, timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]


def test_each_example_has_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"examples/{path.name}"' in tests for path in EXAMPLES)
    assert len(EXAMPLES) >= 3


def test_hello(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/hello.py"), cwd=tmp_path) as server:
        greeted = events(server.url, "hello", name="Ada")
        counted = events(server.url, "countdown", start=2)
    assert [event["metadata"]["progress"] for event in greeted if event["type"] == "progress"] == [1, 2, 3]
    assert greeted[-1]["data"] == "Hello, Ada!"
    assert [event.get("data") for event in counted[1:]] == [2, 1, "lift-off"]


def test_what_is_shared_is_open_for_every_call_and_closed_in_the_end(tmp_path: Path) -> None:
    [block] = [
        each for each in blocks(ROOT / "docs" / "how-to-write-tools.md", "python") if each.file_name == "shared.py"
    ]
    text = block.text.replace("        yield client\n", '        yield client\n    print("closed", flush=True)\n')
    (tmp_path / "shared.py").write_text(text)
    with process("shared.py", cwd=tmp_path) as server:
        for _ in range(2):
            assert events(server.url, "status_of", address=f"{server.url}/healthz")[-1]["data"] == 200
        assert "closed" not in server.output
    assert "closed" in server.output


async def test_read_page() -> None:
    """It reads what the rules allow, and nothing of the machine that it runs on."""
    place = runpy.run_path(str(ROOT / "examples/read_page.py"))
    read_page = place["read_page"]
    globals_of_it = read_page.function.__globals__
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<p>Hello <b>there</b></p>")
        writer.close()

    site = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = site.sockets[0].getsockname()[1]
    async with site, client(read_page) as c:
        for url in (f"http://127.0.0.1:{port}/", "http://127.0.0.1/", "http://169.254.169.254/"):
            with pytest.raises(ToolError, match=r"is at a|may be connected") as caught:
                await c.run("read_page", url=url)
            assert caught.value.code == "unreachable"
        assert asked == []
        globals_of_it["RULES"] = outgoing.Rules(allow_private=True, ports=frozenset({port}))
        read = await c.run("read_page", url=f"http://127.0.0.1:{port}/")
    assert read == {"url": f"http://127.0.0.1:{port}/", "status": 200, "text": "Hello there"}


def test_orders(tmp_path: Path) -> None:
    path = ROOT / "examples/orders.py"
    [block] = [
        each for each in blocks(ROOT / "docs" / "how-to-share-resources.md", "python") if each.file_name == "orders.py"
    ]
    assert block.text.removeprefix("# orders.py\n").strip() in path.read_text(encoding="utf-8")
    with process(str(path), cwd=tmp_path) as server:
        ordered = [
            events(server.url, "order", item=item, pieces=pieces)[-1]
            for item, pieces in [("apple", 3), ("pear", 1), ("apple", 2), ("apple", -9)]
        ]
        # More at once than there are connections.
        with ThreadPoolExecutor(10) as pool:
            sums = list(pool.map(lambda _: events(server.url, "ordered")[-1]["data"], range(30)))
        up = [
            events(server.url, "is_up", address=address)[-1]["data"]
            for address in (f"{server.url}/healthz", "http://127.0.0.1:1/")
        ]
    assert [event.get("data") for event in ordered] == [3, 1, 5, None]
    assert ordered[-1]["error"]["message"] == "nobody can order less than one piece"
    assert sums == [{"apple": 5, "pear": 1}] * 30
    assert up == [True, False]


def test_primes(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/primes.py"), cwd=tmp_path) as server, ThreadPoolExecutor(2) as pool:
        small, large = pool.map(lambda below: events(server.url, "count_primes", below=below), [100, 100_000])
    assert small[-1]["data"] == {"count": 25, "largest": 97}
    assert large[-1]["data"] == {"count": 9592, "largest": 99991}
    done = [event["metadata"]["progress"] for event in large if event["type"] == "progress"]
    assert done == sorted(done)


def test_read_csv(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/read_csv.py"), cwd=tmp_path) as server:
        found = events(server.url, "rows", table="planets", column="kind", equals="ice", order="reverse")
        wrong = events(server.url, "rows", table="../planets", column="kind", equals="ice")
    assert [event["data"]["name"] for event in found if event["type"] == "progress"] == ["Neptune", "Uranus"]
    assert found[-1]["data"] == {"rows": 8, "matching": 2}
    assert wrong[-1]["error"] == {
        "code": "tool_failed",
        "message": "There is no table '../planets'.",
        "hint": "Tables: planets.",
    }


def test_fastapi_app(tmp_path: Path) -> None:
    example = ROOT / "examples/fastapi_app.py"
    run = [sys.executable, "-m", "uvicorn", "--port", "0", "--app-dir", str(example.parent), f"{example.stem}:app"]
    with process(cwd=tmp_path, command=run, schemes=1, status=-signal.SIGTERM) as server:
        nobody = httpx.Client(base_url=server.url)
        assert nobody.post(f"/tools{SSE}", json={"tool": "order", "params": {"drink": "tea"}}).status_code == 401
        assert nobody.get("/orders").status_code == 401
        for name, drinks in (("ada", ["tea", "water"]), ("bob", ["espresso"])):
            with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer token-of-{name}"}) as client:
                for number, drink in enumerate(drinks, 1):
                    call = {"tool": "order", "params": {"drink": drink}}
                    answer = client.post(f"/tools{SSE}", json=call, headers={"Accept": "application/json"})
                    assert answer.json()["data"] == number
                assert client.get("/orders").json() == drinks
                listed = client.get("/tools/api/v1/mcp/tools").json()["tools"]
                assert [tool["name"] for tool in listed] == ["hello", "countdown", "order"]
                greeted = client.post(f"/tools{SSE}", json={"tool": "hello", "params": {"name": name}})
                assert f"Hello, {name}!" in greeted.text
        nobody.close()


def test_signed(tmp_path: Path) -> None:
    example = ROOT / "examples/signed.py"
    command = [sys.executable, "-m", "mcp_app", "serve", "--port", "0", f"{example}:app"]
    with process(cwd=tmp_path, command=command, schemes=1) as server, httpx.Client(base_url=server.url) as client:

        def called(secret: bytes, ago: int = 0, version: str = "1.2") -> httpx.Response:
            body = b'{"tool": "deploy", "params": {"version": "1.2"}}'
            sent = str(int(time.time()) - ago)
            signed = hmac.new(secret, b"\n".join((b"POST", SSE.encode(), sent.encode(), body)), "sha256").hexdigest()
            fields = {"X-Time": sent, "X-Signature": signed, "Accept": "application/json"}
            body = body.replace(b"1.2", version.encode())
            return client.post(SSE, content=body, headers={**fields, "Content-Type": "application/json"})

        right = b"only for trying it out"
        assert called(right).json()["data"] == "deploys deploys 1.2"
        assert "not of this request" in called(b"another").json()["error"]["message"]
        assert called(right, version="1.3").status_code == 401
        assert called(right, ago=1000).json()["error"]["hint"] == "Sign the request anew."
        nobody = client.post(SSE, json={"tool": "deploy"})
        assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_workflow(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/workflow.py"), cwd=tmp_path) as server:
        seen = events(server.url, "survey", kinds=["rock", "gas", "ice"])
        alone = events(server.url, "describe", counts=[{"kind": "rock", "planets": 4, "moons": 3}])
    steps = [(event["metadata"]["path"], event["metadata"]["progress"]) for event in seen[1:-1]]
    numbers = [number for _, number in steps]
    assert [path for path, _ in steps] == [["planets"], ["rock"], ["gas"], ["ice"], ["describe"]]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (40, 100)
    assert seen[-1]["data"] == ("rock: 4 planets, 3 moons; gas: 2 planets, 375 moons; ice: 2 planets, 45 moons")
    assert alone[-1]["data"] == "rock: 4 planets, 3 moons"


def test_weather(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/weather.py"), cwd=tmp_path) as server:
        rows = [event["data"] for event in events(server.url, "readings", days=5)[1:]]
        *findings, analysis = [event["data"] for event in events(server.url, "climate")[1:]]
    assert [each["kind"] for each in rows] == ["columns", *["rows"] * 5, "table"]
    assert [each["first"] for each in rows[1:-1]] == [0, 24, 48, 72, 96]
    assert rows[-1]["rows"] == [row for batch in rows[1:-1] for row in batch["rows"]][:100]
    assert (rows[-1]["row_count"], rows[-1]["truncated"], rows[-1]["notice"]) == (
        120, True, "20 rows are left out of the result.",
    )  # fmt: skip
    assert analysis["findings"] == findings
    chart = findings[1]["histogram"]
    assert len(chart["edges"]) == len(chart["counts"]) + 1
    assert sum(chart["counts"]) == 31 * 23  # an hour of each day is not known


def test_audit(tmp_path: Path) -> None:
    files = (str(ROOT / "examples/audit.py"), str(ROOT / "examples/workflow.py"), "broken.py")
    (tmp_path / "broken.py").write_text(
        "from mcp_app import tool\n\n@tool(read_only=True)\ndef broken() -> int:\n    raise LookupError('why')\n\n"
        "@tool\ndef change() -> int:\n    return 1\n"
    )
    with process(*files, cwd=tmp_path) as server:
        assert events(server.url, "survey", kinds=["ice"])[-1]["type"] == "complete"
        assert events(server.url, "broken")[-1]["error"]["message"] == "The tool broken failed."
        assert events(server.url, "change")[-1]["error"]["message"] == "Change changes something: sign in first."
    output = "".join(server.output)
    assert "audit INFO planets planets {} by anonymous: complete" in output
    assert "audit INFO plain survey {'kinds': ['ice']} by anonymous: complete" in output
    assert "audit ERROR broken is broken: LookupError('why')" in output
    assert "audit INFO plain broken {} by anonymous: tool_failed" in output
    assert "audit INFO plain change {} by anonymous: refused 0.0 s" in output


def test_long_job(tmp_path: Path) -> None:
    with process(str(ROOT / "examples/long_job.py"), cwd=tmp_path) as server:
        call = {"tool": "estimate_pi", "params": {"samples": 200_000, "seed": 7}}
        started = httpx.post(f"{server.url}/api/v1/mcp/runs", json=call)
        with httpx.stream("GET", f"{server.url}{started.json()['events_url']}", timeout=30) as answer:
            seen = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
        state = httpx.get(f"{server.url}{started.headers['location']}").json()
    assert started.status_code == 202
    assert seen[-1]["data"] == state["data"]
    assert state["data"]["samples"] == 200_000
    assert state["data"]["pi"] == pytest.approx(3.14159, abs=0.05)


async def test_moons() -> None:
    async with client(ROOT / "examples/moons.py") as c:
        run, none = c.run("moons", at_least=10), c.run("moons", at_least=1000)
        found, nothing = await run, await none
        by_mcp = c.with_options(era="2026-07-28").run("moons", at_least=10)
        assert await by_mcp == found
        [listed] = await c.with_options(era="2026-07-28").tools()
    assert [each["name"] for each in found] == ["Jupiter", "Saturn", "Uranus", "Neptune"]
    beside = run.metadata["beside"]
    assert beside["text"] == f"4 planets have {sum(each['moons'] for each in found)} moons."
    assert beside["meta"] == {"com.example/source": "planets.csv"}
    assert (nothing, none.text) == ([], "0 planets have 0 moons.")
    assert run.content == by_mcp.content == [{"type": "text", "text": beside["text"]}, *beside["content"]]
    assert [each["mimeType"] for each in beside["content"]] == ["image/png"]
    assert by_mcp.metadata.items() >= beside["meta"].items()
    assert listed["outputSchema"]["items"]["required"] == ["name", "moons"]


async def test_interview() -> None:
    asked: list[Question] = []

    def answer(question: Question) -> dict[str, Any]:
        asked.append(question)
        return {"drink": "tea", "cups": 2}

    async with client(ROOT / "examples/interview.py", era="2026-07-28", answer=answer) as c:
        assert await c.run("order") == {"drink": "tea", "cups": 2, "euros": 3.6}
        read = await c.read("menu://espresso")
        recommended = await c.prompt("recommend", weather="raining")
        completed = await c.complete("menu://{drink}", "drink", "t")
        discovered = await c.request("server/discover")
        [listed] = await c.tools()
    [question] = asked
    assert question.message == "What would you like to drink?"
    assert question.schema["properties"]["drink"]["enum"] == ["espresso", "tea", "water"]
    assert json.loads(read.text) == {"drink": "espresso", "euros": 2.2}
    assert "raining" in recommended.text
    assert completed == ["tea"]
    assert discovered["instructions"].endswith("Do not order before the user has agreed to the price.")
    assert "What is ordered is made, and has to be paid." in listed["description"]
    assert listed["icons"][0]["sizes"] == ["any"]
    assert listed["_meta"] == {"com.example.mcp-app/tags": ["café"]}
    assert listed["annotations"]["openWorldHint"] is False


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_tests_of_an_author(mode: str) -> None:
    path = "examples/test_tools.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"asyncio_mode={mode}", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout
