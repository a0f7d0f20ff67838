"""The tools of a file or module, and one line for each way in which there are none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mcp_app.loading.definitions import application, instructions, load
from mcp_app.loading.toolfile import ToolFileError, import_named, source_of
from mcp_app.protocol.errors import ToolDefinitionError

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


pytestmark = pytest.mark.usefixtures("imports_as_before")


def written(folder: Path, text: str, name: str = "my_tools.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def refusal(name: str) -> str:
    with pytest.raises(ToolFileError) as caught:
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


def test_a_file_that_does_not_import_is_imported_again(tmp_path: Path) -> None:
    """What it had defined before it failed is nothing to serve."""
    name = written(tmp_path, f"{TOOLS}\nraise OSError('no disk')\n")
    for _ in range(2):
        with pytest.raises(ToolFileError, match="no disk"):
            load(name)
    written(tmp_path, TOOLS)
    assert load(name).tools


def test_a_relative_path_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("one", "two"):
        (tmp_path / each).mkdir()
        written(tmp_path / each, f"from mcp_app import tool\n@tool\ndef {each}() -> int:\n    return 1\n")
    for each in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / each)
        assert [tool.name for tool in load("my_tools.py").tools] == [each]


def test_files_of_one_name_are_as_many_modules(tmp_path: Path) -> None:
    """Where pydantic, pickle and the processes of tools look them up."""
    for each in ("one", "two", "three", "four"):
        (tmp_path / each).mkdir()
        name = written(tmp_path / each, "")
        assert import_named(name) is import_named(str(tmp_path / "." / each / ".." / each / "my_tools.py"))
    modules = [import_named(str(tmp_path / each / "my_tools.py")) for each in ("one", "two", "three", "four")]
    assert [sys.modules[module.__name__] for module in modules] == modules
    assert len({module.__name__ for module in modules}) == 4


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
    with pytest.raises(ToolFileError, match="no such file or module"):
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
    tools, resources, prompts, *_ = load(written(tmp_path, MORE))
    assert (len(tools), [each.uri for each in resources], [each.name for each in prompts]) == (
        0,
        ["test://about"],
        ["greet"],
    )


AROUNDS = """
from mcp_app import around

@around
async def second(call, proceed):
    return await proceed()

@around
async def first(call, proceed):
    return await proceed()

again = second
"""


def test_what_is_around_tools_is_found_in_every_file_in_order_each_once(tmp_path: Path) -> None:
    audit = written(tmp_path, AROUNDS, "audit.py")
    own = written(tmp_path, f"{TOOLS}{AROUNDS.replace('second', 'third')}\nfrom audit import second\n")
    assert [each.name for each in load(audit, own).arounds] == ["second", "first", "third", "first"]
    assert [each.name for each in load(own).arounds] == ["third", "first", "second"]
    assert load(written(tmp_path, TOOLS, "without.py")).arounds == ()


def test_what_is_around_tools_is_not_left_out_where_one_object_is_named(tmp_path: Path) -> None:
    named = load(f"{written(tmp_path, TOOLS + AROUNDS)}:zebra")
    assert ([each.name for each in named.tools], [each.name for each in named.arounds]) == (
        ["zebra"],
        ["second", "first"],
    )


def test_what_is_around_tools_alone_is_nothing_to_serve(tmp_path: Path) -> None:
    assert "no tools: decorate a function with @tool" in refusal(written(tmp_path, AROUNDS))


def test_a_registry_of_the_module_is_what_is_served(tmp_path: Path) -> None:
    text = MORE + "@tool\ndef later() -> int:\n    return 1\n\nTOOLS = Registry()\nPROMPTS = Prompts([greet])\n"
    name = written(tmp_path, text)
    tools, resources, prompts, *_ = load(name)
    module = sys.modules[Path(name).stem]
    assert tools is module.TOOLS
    assert prompts is module.PROMPTS
    assert (len(tools), len(resources)) == (0, 1)


def test_of_two_registries_none_is_chosen(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, MORE + "a = Registry()\nb = Registry()\n"))
    assert "more than one Registry" in said


# --- several files, one object of a file, an application -------------------------------------------------------------


def test_several_files_are_served_together_each_tool_once(tmp_path: Path) -> None:
    first = written(tmp_path, TOOLS, "first.py")
    second = written(
        tmp_path, "from first import zebra\n" + MORE + "@tool\ndef third() -> int:\n    return 3\n", "b.py"
    )
    tools, resources, prompts, _, notes = load(first, second)
    assert [tool.name for tool in tools] == ["zebra", "aardvark", "third"]
    assert (len(resources), len(prompts), notes) == (1, 1, ())


def test_of_several_files_one_may_have_a_registry_which_takes_the_others_tools(tmp_path: Path) -> None:
    first = written(tmp_path, TOOLS, "first.py")
    own = written(tmp_path, "from mcp_app import Registry\nTOOLS = Registry()\n", "own.py")
    tools = load(first, own).tools
    assert tools is sys.modules["own"].TOOLS
    assert [tool.name for tool in tools] == ["zebra", "aardvark"]
    other = written(tmp_path, "from mcp_app import Registry\nTOOLS = Registry()\n", "other.py")
    with pytest.raises(ToolFileError, match=r"own\.py and .*other\.py each have a Registry of their own"):
        load(own, other)


def test_two_tools_of_one_name_are_refused_by_their_places(tmp_path: Path) -> None:
    one = "from mcp_app import tool\n@tool\ndef same() -> int:\n    return 1\n"
    with pytest.raises(ToolDefinitionError, match=r"Two tools have the name same: a\.same \(line 2\) and b\.same"):
        load(written(tmp_path, one, "a.py"), written(tmp_path, one, "b.py"))


@pytest.mark.parametrize(
    ("named", "expected"),
    [("a", ["zebra"]), ("b", []), ("some", ["aardvark"]), ("zebra", ["zebra"]), ("inner.tools", ["aardvark"])],
)
def test_one_object_of_a_file_is_served_when_it_is_named(tmp_path: Path, named: str, expected: list[str]) -> None:
    text = TOOLS + "from mcp_app import Registry\na, b, some = Registry([zebra]), Registry(), [aardvark]\n"
    text += "class inner:\n    tools = Registry([aardvark])\n"
    assert [tool.name for tool in load(f"{written(tmp_path, text)}:{named}").tools] == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [("gone", "there is no gone in it"), ("json", "no Registry, Resources, Prompts, tool or list of tools")],
)
def test_a_name_that_offers_nothing_is_refused(tmp_path: Path, named: str, expected: str) -> None:
    assert expected in refusal(f"{written(tmp_path, TOOLS + 'import json')}:{named}")


OWN_APP = "from mcp_app import create_app\napp = create_app(tools=[])\n"
FOREIGN_APP = "class Framework:\n    async def __call__(self, scope, receive, send): ...\napp = Framework()\n"


def test_an_application_in_the_file_is_not_ignored_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, TOOLS + OWN_APP, "shop.py")
    [note] = load("shop.py").notes
    assert note.startswith("shop.py: its tools are served, its application app is not, with its routes and hooks: ")
    assert note.endswith("mcp-app serve shop.py:app serves it")
    written(tmp_path, TOOLS + FOREIGN_APP, "other.py")
    [note] = load("other.py").notes
    assert note.endswith("hypercorn other:app serves it")
    written(tmp_path, OWN_APP, "alone.py")
    assert refusal("alone.py") == "alone.py: no tools: mcp-app serve alone.py:app serves its application"
    written(tmp_path, "from mcp_app import tool\n@tool\ndef app() -> int:\n    return 1\n", "tool_app.py")
    assert load("tool_app.py").notes == ()


def test_the_application_that_create_app_made_is_found_by_its_name(tmp_path: Path) -> None:
    name = written(tmp_path, TOOLS + OWN_APP)
    assert application(name) is None
    assert application(f"{name}:app") is sys.modules["my_tools"].app
    assert application(f"{name}:zebra") is None
    foreign = written(tmp_path, FOREIGN_APP, "foreign.py")
    with pytest.raises(ToolFileError, match="create_app did not make: serve it with hypercorn"):
        application(f"{foreign}:app")


@pytest.mark.parametrize("name", [".", "./", "folder", "folder/"])
def test_a_directory_is_named_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    expected = "a directory: name a file of tools in it" if name != "folder" else "no tools"
    assert expected in refusal(name)


@pytest.mark.parametrize("name", ["..", "two words", "-", "1st", ":app", "a:b:c"])
def test_what_can_be_no_module_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Error:" not in refusal(name)


def test_where_an_exception_came_from_stands_behind_it(tmp_path: Path) -> None:
    written(tmp_path, "def connect():\n    raise ConnectionError('refused')\n", "deep_library.py")
    said = refusal(written(tmp_path, "import deep_library\n\ndeep_library.connect()\n"))
    assert "my_tools.py:3: ConnectionError: refused (raised at " in said
    assert "deep_library.py:2, in connect; see --traceback)" in said


# --- what the models that use the server are told --------------------------------------------------------------------

TOLD = '''
"""Tools for notes.

    Read before you write.
    """
from mcp_app import tool

@tool
def first() -> int:
    return 1
'''


def test_the_docstrings_of_the_files_are_the_instructions_in_their_order(tmp_path: Path) -> None:
    first, second = written(tmp_path, TOLD, "notes.py"), written(tmp_path, '"""Second."""\n', "second.py")
    assert instructions(first, second, f"{first}:first") == "Tools for notes.\n\nRead before you write.\n\nSecond."
    assert instructions(second, first) == "Second.\n\nTools for notes.\n\nRead before you write."


def test_without_docstrings_there_are_no_instructions(tmp_path: Path) -> None:
    assert instructions(written(tmp_path, TOOLS), written(tmp_path, '"""  """\n', "blank.py")) is None
    assert instructions() is None


def test_a_module_with_a_catalogue_that_is_still_empty_is_served(tmp_path: Path) -> None:
    for kind in ("Registry", "Resources", "Prompts"):
        name = written(tmp_path, f"from mcp_app import {kind}\nOWN = {kind}()\n", f"empty_{kind.lower()}.py")
        tools, resources, prompts, *_ = load(name)
        own = sys.modules[Path(name).stem].OWN
        assert [each is own for each in (tools, resources, prompts)].count(True) == 1


MADE = "from mcp_app import Registry, tool\ndef made(n):\n    def f() -> int: ...\n    return tool(name=n)(f)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TOOLS = [made('a'), made('b')]", "the list TOOLS: mcp-app serve {file}:TOOLS serves it"),
        ("TOOLS = {'a': made('a')}", "the dict TOOLS: write a list"),
        ("class Tools:\n    a = made('a')", "the class Tools: write a list"),
    ],
)
def test_tools_that_are_no_names_of_the_module_are_not_ignored_in_silence(
    tmp_path: Path, text: str, expected: str
) -> None:
    file = written(tmp_path, MADE + text)
    assert refusal(file) == f"{file}: no tools among its names, but in {expected.format(file=file)}"
    beside = written(tmp_path, f"{MADE}{text}\nown = made('own')", "beside.py")
    loaded = load(beside)
    assert [each.name for each in loaded.tools] == ["own"]
    assert loaded.notes == (f"{beside}: its tools are served, not those in {expected.format(file=beside)}",)


def test_a_list_of_what_is_served_is_nothing_to_tell(tmp_path: Path) -> None:
    text = f"{MADE}a = made('a')\nTOOLS = [a]\nMORE = [made('b')]\nregistry = Registry([a, *MORE])"
    assert load(written(tmp_path, text)).notes == ()
    listed = load(written(tmp_path, f"{MADE}TOOLS = [made('a'), made('b')]", "listed.py") + ":TOOLS")
    assert [each.name for each in listed.tools] == ["a", "b"]


def test_a_tool_that_cannot_be_defined_is_not_traced_into_this_package(tmp_path: Path) -> None:
    said = refusal(
        written(tmp_path, "from mcp_app import tool\n\n@tool(readonly=True)\ndef f() -> int:\n    return 1\n")
    )
    assert said.endswith("my_tools.py:3: ToolDefinitionError: @tool has no option readonly. Did you mean read_only?")
