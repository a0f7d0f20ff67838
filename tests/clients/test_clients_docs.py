"""docs/clients.md: its programs run, each with its library, and its table says what the tests of the clients see."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import build
import pytest
from doc_page import ROOT, Block, blocks
from live_server import LiveServer, process
from test_clients_real import CLIENTS

PAGE = ROOT / "docs" / "clients.md"
BOUND = 60.0
URL = "http://localhost:8000/mcp"

PROGRAMS = blocks(PAGE, "python", "javascript")

pytestmark = pytest.mark.time_bound(2 * BOUND)


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """What the page says to start."""
    with process(str(ROOT / "examples" / "hello.py"), cwd=tmp_path_factory.mktemp("hello")) as running:
        yield running


def test_each_python_environment_is_shown() -> None:
    without_program = {"mcp-proxy", "fastmcp-tasks", "requests-sse"}  # a command, one more import, and no MCP client
    assert {block.words[0] for block in PROGRAMS} == set(build.names()) - without_program


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: "-".join((*block.words, str(block.line))))
def test_program(block: Block, hello: LiveServer, tmp_path: Path) -> None:
    [environment] = block.words
    if not build.is_built(environment):
        pytest.skip(f"needs the clients' environment {environment} (make clients)")
    assert URL in block.text or "--stdio" in block.text
    program = tmp_path / ("program.mjs" if environment == "npm" else "program.py")
    if environment == "npm":  # beside node_modules: that is where JavaScript looks for what it imports
        program = build.BUILT / "npm" / "drivers" / f"line-{block.line}.mjs"
        program.parent.mkdir(exist_ok=True)
    program.write_text(block.text.replace(URL, f"{hello.url}/mcp"), encoding="utf-8")
    interpreter = build.node() if environment == "npm" else build.python_of(environment)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    ended = subprocess.run(
        [interpreter, program],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "Hello, Ada!"


def test_the_table_has_each_client_with_its_revision() -> None:
    rows = re.findall(
        r"^\| .+? \| (\d[\d.]+) \| (\d{4}-\d\d-\d\d) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    pinned = {name: _version(name) for name in build.names() if name != "npm"}
    pinned |= {"use_sdk1.mjs": _npm("protocol/sdk"), "use_client2.mjs": _npm("protocol/client")}
    pinned |= {"use_ai_sdk.mjs": _npm("@ai-sdk/mcp"), "use_genkit.mjs": _npm("@genkit-ai/mcp")}
    pinned |= {"mcp-remote": _npm("mcp-remote"), "supergateway": _npm("supergateway")}
    seen = {(pinned[each.bridge or (each.driver if each.environment == "npm" else each.environment)], each.revision)
            for each in CLIENTS}  # fmt: skip
    inspector = {(_npm("inspector"), "2025-11-25"), (_npm("inspector"), "2026-07-28")}
    assert set(rows) == seen | inspector
    assert len(rows) == len(CLIENTS) + len(inspector)


def _version(environment: str) -> str:
    return build.wanted(environment)[0].partition("==")[2]


def _npm(package: str) -> str:
    [found] = [each for each in build.wanted("npm") if each.rpartition("@")[0].endswith(package)]
    return found.rpartition("@")[2]
