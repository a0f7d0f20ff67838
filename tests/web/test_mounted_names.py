"""What names the tools that are mounted, and what is said of a name that names none."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from web_asgi import Client

from mcp_app import (
    Call,
    Proceed,
    Prompts,
    Registry,
    Resources,
    Tool,
    ToolError,
    around,
    asgi_app,
    blueprint,
    prompt,
    resource,
    tool,
)
from mcp_app.loading.toolfile import ToolFileError
from mcp_app.mounting import MountedApp

TOOLS = '''
"""The shop."""
from mcp_app import Registry, tool

@tool
async def zebra() -> int:
    """Last of the alphabet, first here."""
    return 1

@tool
async def aardvark() -> int:
    """Second."""
    return 2

SOME = [aardvark]
'''


@tool
async def own() -> int:
    """One of the host's own module."""
    return 3


@prompt
def ask() -> str:
    return "?"


@resource("test://r")
def read() -> str:
    return "r"


@pytest.fixture(autouse=True)
def in_a_folder_of_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports_as_before: None) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools.py").write_text(TOOLS)


async def offered(app: MountedApp) -> list[str]:
    client = Client(app)
    answer = await client.open("GET", "/api/v1/mcp/tools").rest()
    await app.shutdown()
    return re.findall(r'"name":"(\w+)"', answer.body.decode())


@pytest.mark.parametrize(
    ("names", "tools"),
    [
        (("tools.py",), ["zebra", "aardvark"]),
        ((Path("tools.py"),), ["zebra", "aardvark"]),
        (("tools",), ["zebra", "aardvark"]),
        (("tools.py:SOME",), ["aardvark"]),
        (("tools.py:aardvark", own), ["aardvark", "own"]),
        ((own, "tools.py"), ["own", "zebra", "aardvark"]),
        ((Registry([own]), "tools.py"), ["own", "zebra", "aardvark"]),
        ((own, read, ask, Resources(), Prompts()), ["own"]),
    ],
)
async def test_what_names_tools(names: tuple[Any, ...], tools: list[str]) -> None:
    assert await offered(asgi_app(*names)) == tools


async def test_an_absolute_path_is_found_wherever_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert await offered(asgi_app(tmp_path / "tools.py")) == ["zebra", "aardvark"]


@pytest.mark.parametrize("in_file", [True, False])
async def test_what_is_around_tools_is_around_those_that_are_mounted(in_file: bool, tmp_path: Path) -> None:
    text = "from mcp_app import ToolError, around\n@around\nasync def no(call, proceed):\n    raise ToolError('no')\n"
    (tmp_path / "rules.py").write_text(text)
    app = asgi_app("tools.py", "rules.py" if in_file else refuse)
    call = b'{"tool": "zebra", "params": {}}'
    headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
    answer = await Client(app).open("POST", "/api/v1/mcp/sse", headers, body=call).rest()
    await app.shutdown()
    assert '"message":"no"' in answer.body.decode()


@around
async def refuse(call: Call, proceed: Proceed) -> Any:
    raise ToolError("no")


async def test_a_registry_may_change_later() -> None:
    registry: Registry = Registry([own])
    app = asgi_app(registry)

    @tool
    async def later() -> int:
        """Added while it is served."""
        return 4

    registry.add(later)
    assert await offered(app) == ["own", "later"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), r"what is to be offered\? Name a file of tools"),
        (
            ("gone.py",),
            r"gone\.py: no such file in .*, the working directory: Path\(__file__\)\.with_name\('gone\.py'\)",
        ),
        ((Path("gone.py"),), "no such file in"),
        (("/nowhere/gone.py",), "/nowhere/gone.py: no such file"),
        (("gone_module",), "gone_module: no such file or module"),
        (("tools.py:GONE",), "tools.py: there is no GONE in it"),
        (([own],), r"a list of tools is given: give each, \*tools"),
        ((lambda: None,), "<lambda> is no tool: decorate it with @tool"),
        ((7,), "neither a name of tools nor a tool: int"),
        ((Registry(), Registry()), "the given Registry and the given Registry each have a Registry of their own"),
        ((own, own.function), "own is no tool: decorate it"),
    ],
)
@pytest.mark.parametrize("mount", [asgi_app, blueprint])
def test_what_names_none(mount: Any, given: tuple[Any, ...], said: str) -> None:
    with pytest.raises((ToolFileError, TypeError), match=said):
        mount(*given)


def test_the_same_tool_twice_is_one() -> None:
    assert isinstance(own, Tool)
    assert asgi_app(own, own)


def test_a_file_that_the_host_has_imported_is_not_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tools.py").write_text(
        TOOLS + "\nimport builtins\nbuiltins.imports = getattr(builtins, 'imports', 0) + 1\n"
    )
    import builtins

    try:
        module = __import__("tools")
        asgi_app("tools.py")
        asgi_app(tmp_path / "tools.py")
        assert builtins.imports == 1  # type: ignore[attr-defined]
        assert sys.modules["tools"] is module
    finally:
        del builtins.imports  # type: ignore[attr-defined]


def test_the_hosts_modules_are_found_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is on the path already keeps its place there."""
    (tmp_path / "host").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "host"), str(tmp_path), *sys.path])
    before = list(sys.path)
    asgi_app("tools.py")
    asgi_app("tools")
    assert sys.path == before
