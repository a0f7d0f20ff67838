"""docs/how-to-call.md does what it says: every block of it is run against our own server."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from command_line import COMMAND, ROOT, SECONDS, environment
from live_server import LiveServer, serving

from mcp_app import Context, Settings, create_app, tool

TEXT = (Path(ROOT) / "docs" / "how-to-call.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)


@tool(read_only=True)
async def scan_domain(domain: str, ctx: Context) -> dict[str, str]:
    """In place of the shipped one, which needs the Internet."""
    await ctx.progress(1, 1, "looked")
    return {"domain": domain, "grade": "A"}


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with serving(create_app(Settings(), [scan_domain])) as live:
        yield live


@pytest.fixture
def project(tmp_path: Path, server: LiveServer) -> Path:
    """The directory in which a reader types: certificates in certs/, and `mcp-app` on the path."""
    (tmp_path / "mcp.json").write_text("{}")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_bytes(server.ca.read_bytes())
    program = tmp_path / "bin" / "mcp-app"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND[:-1])} "$@"\n')
    program.chmod(0o755)
    return tmp_path


def at(server: LiveServer, text: str) -> str:
    return text.replace(":8443", f":{server.tls_port}").replace(":8000", f":{server.port}")


async def output(command: list[str], project: Path) -> str:
    path = f"{project / 'bin'}:{os.environ['PATH']}"
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=project,
        env=environment(PATH=path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


def test_the_document_has_blocks_of_each_kind() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "text", "python", "js"}


@pytest.mark.needs("curl")
@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "sh"])
async def test_what_is_typed_in_a_shell(server: LiveServer, project: Path, block: str) -> None:
    out = await output(["bash", "-e", "-o", "pipefail", "-c", at(server, block)], project)

    lists = block.endswith("/tools\n") or block.startswith("mcp-app list")
    assert "scan_domain" in out if lists else re.search(r'"grade": ?"A"', out)


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "python"])
async def test_what_is_written_in_python(server: LiveServer, project: Path, block: str) -> None:
    out = await output([sys.executable, "-c", at(server, block)], project)

    assert "'grade': 'A'" in out


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "js"])
async def test_what_is_typed_in_a_browsers_console(
    server: LiveServer, program: Callable[[str], str], block: str
) -> None:
    from playwright.async_api import async_playwright

    said: list[str] = []
    ended = asyncio.Event()

    def hear(text: str) -> None:
        said.append(text)
        if text.startswith(("complete", "error")):
            ended.set()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: hear(message.text) if message.type == "log" else None)
        await page.goto(server.url)
        await page.evaluate(f"() => {{ {block} }}")
        async with asyncio.timeout(SECONDS):
            await ended.wait()
        await browser.close()

    assert [text.split()[0] for text in said] == ["started", "progress", "complete"]
