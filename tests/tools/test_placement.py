"""Which tools a process can find, and what is said of those that it cannot: when they are defined, or at the start."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Base64Bytes, BaseModel, Field, SecretStr

from mcp_app import create_app, tool
from mcp_app.authoring.around import Arguments
from mcp_app.authoring.findable import check_findable, found
from mcp_app.authoring.placement import SentArguments
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.loading.toolfile import import_named
from mcp_app.protocol.errors import ToolDefinitionError
from mcp_app.protocol.event import NotJson
from mcp_app.web.asgi.lifespan import NotStarted


@tool(placement="process")
def at_the_top(n: int) -> int:
    return n


@tool(placement="process")
async def in_a_list(n: int) -> int:
    return n


@tool(placement="process")
async def in_a_dict(n: int) -> int:
    return n


@tool(placement="process")
async def in_a_registry(n: int) -> int:
    return n


LIST, DICT, REGISTRY = [in_a_list], {"x": in_a_dict}, Registry([in_a_registry])
of_a_partial = tool(name="of-a-partial", placement="process")(functools.partial(at_the_top.function, n=1))
nameless = [in_a_list, in_a_dict, in_a_registry]
del in_a_list, in_a_dict, in_a_registry, nameless


def test_what_is_found() -> None:
    check_findable([at_the_top, *LIST, *DICT.values(), *REGISTRY, of_a_partial])
    assert found(__name__, "of-a-partial") is of_a_partial
    assert found(__name__, "nothing") is None
    assert found("no_such_module", "at_the_top") is None
    assert at_the_top.origin is not None
    assert (at_the_top.origin.module, at_the_top.origin.file) == (__name__, str(Path(__file__).absolute()))


def test_a_tool_without_a_placement_has_no_origin() -> None:
    plain = tool(at_the_top.function)
    assert plain.origin is None
    check_findable([plain])
    assert type(plain.arguments({"n": 1})) is dict


def test_what_the_caller_sent_is_kept_with_the_arguments() -> None:
    arguments = at_the_top.arguments({"n": "5"})
    assert isinstance(arguments, SentArguments)
    assert (arguments, arguments.to_send(at_the_top.signature)) == ({"n": 5}, ({"n": "5"}, {}))
    of_a_query = at_the_top.from_query({}, {"n": ["1_0"]}).arguments
    assert isinstance(of_a_query, SentArguments)
    assert (of_a_query, of_a_query.to_send(at_the_top.signature)) == ({"n": 10}, ({}, {"n": ["1_0"]}))
    of_a_query["n"] = 11
    assert of_a_query.to_send(at_the_top.signature) == ({"n": 11}, {})


class Named(BaseModel):
    from_: str = Field(alias="from")


class Span(BaseModel):
    start: int
    end: int = 9


def of_many(
    text: Annotated[Base64Bytes, Field(alias="bytes")] = b"",
    named: Named | None = None,
    wait: timedelta = timedelta(0),
    key: SecretStr | None = None,
    grown: Annotated[int, AfterValidator(lambda n: n + 1)] = 0,
    data: bytes = b"",
) -> int:
    return 0


def of_a_model(span: Span) -> int:
    return 0


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("text", "d2VsdA==", {"bytes": "d2VsdA=="}),
        ("named", Named.model_validate({"from": "x"}), {"named": {"from": "x"}}),
        ("named", None, {"named": None}),
        ("wait", timedelta(seconds=5), {"wait": "PT5S"}),
    ],
)
def test_what_is_set_around_the_call_arrives_as_it_is(name: str, value: Any, sent: dict[str, Any]) -> None:
    made: Tool = tool(of_many)
    kept = SentArguments(made.arguments({}), {}, {"bytes": ["aGFsbG8="]})
    Arguments(made, kept)[name] = value
    params, texts = kept.to_send(made.signature)
    assert (params, texts) == (sent, {} if "bytes" in sent else {"bytes": ["aGFsbG8="]})
    assert made.from_query(params, texts).arguments[name] == kept[name]


def test_a_model_that_is_set_around_the_call_arrives_whole() -> None:
    made: Tool = tool(parameters=Span)(of_a_model)
    kept = SentArguments(made.arguments({"start": 1}), {"end": 2}, {"start": ["1"]})
    Arguments(made, kept)["span"] = Span(start=3)
    assert kept.to_send(made.signature) == ({"start": 3, "end": 9}, {})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("key", SecretStr("hidden"), "another process would not get key as a function around the call has set it"),
        ("grown", 5, "another process would not get grown as a function around the call has set it"),
        ("data", b"\xff", "not serialisable as JSON: .* in a value of type bytes"),
    ],
)
def test_what_would_arrive_as_another_value_is_not_sent(name: str, value: Any, problem: str) -> None:
    made: Tool = tool(of_many)
    kept = SentArguments(made.arguments({}), {}, {})
    Arguments(made, kept)[name] = value
    with pytest.raises(NotJson, match=problem):
        kept.to_send(made.signature)


@pytest.mark.parametrize("word", ["thread", "loop", "worker", "Process", "", 1, True])
def test_a_word_that_is_none(word: Any) -> None:
    with pytest.raises(ToolDefinitionError, match=r'at_the_top: placement is .*"process"'):
        tool(placement=word)(at_the_top.function)


class Counted:
    """A decorator: messages are of what it decorates."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **options)


@pytest.mark.parametrize("decorate", [lambda function: function, Counted], ids=["plain", "decorated"])
def test_a_closure(decorate: Callable[[Any], Any]) -> None:
    def inner(n: int) -> int:
        return n

    with pytest.raises(ToolDefinitionError) as caught:
        tool(placement="process")(decorate(inner))
    line = inner.__code__.co_firstlineno
    assert str(caught.value) == (
        f"inner ({__file__}:{line}): a process cannot find a function that is made within another one. Write it at the "
        "top of its module."
    )


@pytest.mark.parametrize("names", [{"__name__": "__main__", "__file__": "x.py"}, {"__name__": "of_a_repl"}, {}])
def test_what_cannot_be_imported(names: dict[str, Any]) -> None:
    source = "from mcp_app import tool\n@tool(placement='process')\ndef inner(n: int) -> int:\n    return n\n"
    with pytest.raises(ToolDefinitionError, match=r"inner \(<string>:2\): a process cannot import the module .* file"):
        exec(source, dict(names))


def test_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from mcp_app import tool\n@tool(placement='process')\ndef crunch(n: int) -> int: return n\n")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert f"crunch ({script}:2): a process cannot import the module __main__" in ended.stderr


async def test_a_tool_without_a_name_is_refused_at_the_start() -> None:
    lost = tool(placement="process", name="lost")(at_the_top.function)
    with pytest.raises(ToolDefinitionError) as caught:
        check_findable([at_the_top, lost])
    line = at_the_top.function.__code__.co_firstlineno
    assert f"{__name__}.at_the_top (line {line}): a process does not find the tool lost in {__name__}" in str(
        caught.value
    )
    app = create_app(tools=[lost])
    with pytest.raises(NotStarted, match="does not find the tool lost"):
        await app.startup()


@pytest.mark.parametrize("command", ["list", "serve"])
def test_a_file_with_such_a_tool_cannot_be_served(tmp_path: Path, command: str) -> None:
    (tmp_path / "lost.py").write_text(
        "from mcp_app import create_app, tool\n"
        "def crunch(n: int) -> int: return n\n"
        "app = create_app(tools=[tool(placement='process')(crunch)])\n"
    )
    port = ["--port", "0"] if command == "serve" else []
    words = [sys.executable, "-m", "mcp_app", command, "lost.py:app", *port]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    ended = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    [line] = [line for line in ended.stderr.splitlines() if "crunch" in line]
    assert "lost.crunch (line 2): a process does not find the tool crunch in lost" in line
    assert "Traceback" not in ended.stderr


def test_two_of_one_name_are_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("two_of_one_name")
    module.first, module.second = at_the_top, tool(placement="process")(at_the_top.function)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, __name__, module)
    check_findable([at_the_top])
    second: Tool = module.second
    with pytest.raises(ToolDefinitionError, match="does not find the tool at_the_top"):
        check_findable([second])


@pytest.mark.usefixtures("imports_as_before")
def test_a_file_that_is_served(tmp_path: Path) -> None:
    file = tmp_path / "served_file.py"
    file.write_text("from mcp_app import tool\n@tool(placement='process')\ndef crunch(n: int) -> int: return n\n")
    crunch: Tool = import_named(str(file)).crunch
    check_findable([crunch])
    assert crunch.origin is not None
    assert (crunch.origin.module, crunch.origin.file) == ("served_file", str(file))
