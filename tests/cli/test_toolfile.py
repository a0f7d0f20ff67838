"""The tools of a file or module, and one line for each way in which there are none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_app.cli.toolfile import load, source_of
from mcp_app.server.errors import StartError

TOOLS = '''
from mcp_app import tool

@tool
async def zebra() -> int:
    """Last of the alphabet, first here."""
    return 1

@tool(read_only=True)
def aardvark(name: str) -> str:
    """Second."""
    return name

also_zebra = zebra
'''


@pytest.fixture(autouse=True)
def _imports_as_before() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def written(folder: Path, text: str, name: str = "my_tools.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def refusal(name: str) -> str:
    with pytest.raises(StartError) as caught:
        load(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tools_in_the_order_of_their_definition_each_once(tmp_path: Path) -> None:
    assert [tool.name for tool in load(written(tmp_path, TOOLS)).tools] == ["zebra", "aardvark"]


def test_a_file_finds_its_neighbours(tmp_path: Path) -> None:
    written(tmp_path, TOOLS, "neighbour.py")
    assert [tool.name for tool in load(written(tmp_path, "from neighbour import aardvark")).tools] == ["aardvark"]


def test_a_module_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package").mkdir()
    written(tmp_path / "package", "")
    written(tmp_path / "package", TOOLS, "inner.py")
    monkeypatch.chdir(tmp_path)
    assert len(load("package.inner").tools) == 2


def test_a_name_that_is_taken_does_not_hide_the_file(tmp_path: Path) -> None:
    assert len(load(written(tmp_path, TOOLS, "json.py")).tools) == 2
    import json

    assert json.loads("1") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", "my_tools.py: no tools: decorate a function with @tool"),
        ("x = 1\ny = = 2", "my_tools.py:2: invalid syntax"),
        ("import no_such_module_at_all", "my_tools.py:1: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("\n\n1 / 0", "my_tools.py:3: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "my_tools.py:1: SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "my_tools.py:1: ValueError: two lines"),
        ("raise ValueError", "my_tools.py:1: ValueError: (no message)"),
        ("import json\njson.loads('nonsense')", "my_tools.py:2: JSONDecodeError: Expecting value"),
        ("from mcp_app import tool\n@tool\ndef f(x):\n    return x", "my_tools.py:2: ToolDefinitionError: "),
    ],
)
def test_what_does_not_import_is_explained_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(written(tmp_path, text))


def test_an_error_in_a_neighbour_names_the_line_that_imports_it(tmp_path: Path) -> None:
    written(tmp_path, "1 / 0", "neighbour.py")
    assert "my_tools.py:2: ZeroDivisionError" in refusal(written(tmp_path, "\nimport neighbour"))


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal("gone.py") == "gone.py: no such file"
    assert refusal("gone_module") == "gone_module: no such file or module"
    assert refusal("gone.module") == "gone.module: no such file or module"


def test_an_error_in_a_module_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "\n1 / 0", "broken_module.py")
    monkeypatch.chdir(tmp_path)
    assert refusal("broken_module").endswith("broken_module.py:2: ZeroDivisionError: division by zero")


def test_what_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watched_package").mkdir()
    written(tmp_path / "watched_package", "", "__init__.py")
    written(tmp_path, "", "watched_module.py")
    assert source_of("here/tools.py") == Path("here/tools.py")
    assert source_of("watched_package") == tmp_path / "watched_package"
    assert source_of("watched_module") == tmp_path / "watched_module.py"
    with pytest.raises(StartError, match="no such file or module"):
        source_of("gone_module")


# --- resources and prompts -------------------------------------------------------------------------------------------

MORE = """
from mcp_app import Prompts, Registry, prompt, resource, tool

@resource("test://about")
def about() -> str:
    return "about"

@prompt
def greet(name: str) -> str:
    return f"Hello, {name}"
"""


def test_resources_and_prompts_are_offered_too(tmp_path: Path) -> None:
    tools, resources, prompts = load(written(tmp_path, MORE))
    assert (len(tools), [each.uri for each in resources], [each.name for each in prompts]) == (
        0,
        ["test://about"],
        ["greet"],
    )


def test_a_registry_of_the_module_is_what_is_served(tmp_path: Path) -> None:
    text = MORE + "@tool\ndef later() -> int:\n    return 1\n\nTOOLS = Registry()\nPROMPTS = Prompts([greet])\n"
    name = written(tmp_path, text)
    tools, resources, prompts = load(name)
    module = sys.modules[Path(name).stem]
    assert tools is module.TOOLS
    assert prompts is module.PROMPTS
    assert (len(tools), len(resources)) == (0, 1)


def test_of_two_registries_none_is_chosen(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, MORE + "a = Registry()\nb = Registry()\n"))
    assert "more than one Registry" in said
