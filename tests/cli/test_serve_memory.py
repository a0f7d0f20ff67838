"""What `mcp-app serve` does with Python's collector of garbage: nothing while it loads, and nothing it loaded after."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, process

from mcp_app.cli.serve import _gc_paused

TOOLS = '''
import gc
from mcp_app import tool

AT_IMPORT = gc.isenabled()

@tool
def collector() -> list[int]:
    """Whether it was on while this file was imported, whether it is now, and how much it leaves alone."""
    return [AT_IMPORT, gc.isenabled(), gc.get_freeze_count()]
'''


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


def test_what_was_loaded_is_never_walked_again_and_the_rest_is(tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    with process("my_tools.py", cwd=tmp_path) as server:
        body = {"tool": "collector", "params": {}, "stream": False}
        answer = httpx.post(f"{server.url}/api/v1/mcp/sse", json=body, timeout=START_SECONDS)
        at_import, now, frozen = answer.json()["data"]
    assert (at_import, now) == (1, 1)
    assert frozen > 10_000, "the modules of the server alone are several times that"


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_as_it_was_before(on: bool) -> None:
    (gc.enable if on else gc.disable)()
    with _gc_paused():
        assert not gc.isenabled()
    assert gc.isenabled() is on
    with pytest.raises(ImportError), _gc_paused():
        raise ImportError
    assert gc.isenabled() is on
