"""`pytest_plugins = "mcp_app.testing"`, as authors use it: in pytest runs of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_app import testing

TOOLS = """
from mcp_app import tool

@tool
async def add(a: int, b: int) -> int:
    return a + b

@tool
async def broken() -> int:
    raise KeyError("the reason")
"""

TESTS = """
import pytest
from mcp_app.testing import client

pytest_plugins = "mcp_app.testing"

@pytest.mark.asyncio
async def test_beside(mcp_client):
    async with mcp_client("tools.py") as c:
        assert await c.run("add", a=1, b=2) == 3
    async with mcp_client("tools.py:add", era="2025-11-25") as c:
        assert await c.run("add", a=1, b=2) == 3

@pytest.mark.asyncio
async def test_imported(mcp_client):
    import tools
    async with mcp_client(tools.add) as c, client(tools.broken) as other:
        assert await c.run(tools.add, a=1, b=2) == 3
        assert "unknown_tool" == (await refused(other.run("add"))).code

async def refused(run):
    with pytest.raises(Exception) as raised:
        await run
    return raised.value

@pytest.mark.asyncio
async def test_fails(mcp_client):
    async with mcp_client("tools.py") as c:
        await c.run("broken")
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    command += ["-o", "asyncio_default_fixture_loop_scope=function"]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture_finds_files_beside_the_test_and_reports_the_log(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "tools.py").write_text(TOOLS)
    (folder / "conftest.py").touch()  # by which pytest puts the folder in sys.path
    (folder / "tests" / "test_it.py").write_text(TESTS)
    done = run_pytest(folder, "-W", "error", "-o", f"asyncio_mode={mode}", str(folder / "tests"))
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "log of mcp_app" in done.stdout
    assert "KeyError: 'the reason'" in done.stdout.partition("log of mcp_app")[2]


def test_it_imports_neither_pytest_nor_what_the_package_does_not_need() -> None:
    program = "import sys, mcp_app.testing; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert not set(done.stdout.split()) & {"pytest", "httpx", "rich", "dns", "cryptography", "anyio"}


def test_every_public_name_is_there_says_what_it_is_and_is_in_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    section = reference.partition("### `mcp_app.testing`")[2].partition("\n### ")[0]
    documented = set(
        re.findall(r"`(\w+)", "\n".join(line.split("|")[1] for line in section.splitlines() if "| `" in line))
    )
    assert documented | {"RunEvent"} == set(testing.__all__)
    assert "`RunEvent`" in section
    for name in testing.__all__:
        assert name == "Era" or getattr(testing, name).__doc__  # a Literal has none
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing
