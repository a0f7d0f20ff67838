"""An image of byte code alone, as PyInstaller and stripped containers make, is served like any other."""

from __future__ import annotations

import compileall
import shutil
from importlib.util import find_spec
from pathlib import Path

import httpx
from live_server import process

ROOT = Path(__file__).parent.parent.parent
WITHIN = 30.0
TOOLS = """\
import hypercorn, mcp_app
from mcp_app import tool

@tool(read_only=True)
async def files() -> list[str]:
    "Where they come from."
    return [hypercorn.__file__, mcp_app.__file__]
"""


def stripped(package: Path, into: Path) -> Path:
    """A copy of the package there, without its sources."""
    copy = into / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(copy, quiet=1, legacy=True)
    for source in copy.rglob("*.py"):
        source.unlink()
    return copy


def test_without_the_sources_of_hypercorn_and_our_own(tmp_path: Path) -> None:
    site = tmp_path / "site"
    hypercorn = find_spec("hypercorn")
    assert hypercorn is not None
    assert hypercorn.origin is not None
    stripped(Path(hypercorn.origin).parent, site)
    ours = stripped(ROOT / "mcp_app", site)
    (ours / "_defaults").mkdir()
    for name in ("mcp.json", "hypercorn.toml"):
        shutil.copy(ROOT / name, ours / "_defaults")
    (tmp_path / "where.py").write_text(TOOLS)
    with process("where.py", cwd=tmp_path, env={"PYTHONPATH": str(site)}) as server:
        answer = httpx.post(
            f"{server.url}/api/v1/mcp/sse",
            json={"tool": "files"},
            headers={"Accept": "application/json"},
            timeout=WITHIN,
        )
        assert answer.json()["data"] == [str(site / name / "__init__.pyc") for name in ("hypercorn", "mcp_app")]
        assert httpx.get(server.url, timeout=WITHIN).status_code == 200
    assert not [line for line in server.output if "has not been tested" in line or "Traceback" in line]
