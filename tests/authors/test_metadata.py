"""Icons, `_meta` and tags are checked where they are written; lengths are told at the start."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from author_calls import PNG

from mcp_app import Icon, Registry, ToolDefinitionError, create_app, prompt, resource, tool
from mcp_app.authoring.lengths import READ_CHARS, cut_short
from mcp_app.authoring.metadata import MAX_ICON_CHARS


def test_a_url_is_an_icon() -> None:
    assert Icon("https://a.example/i.png").wire() == {"src": "https://a.example/i.png"}


def test_an_icon_is_a_value() -> None:
    sizes = ["48x48"]
    one, other = Icon("https://a.example/i.png", sizes=sizes), Icon("https://a.example/i.png", sizes=("48x48",))
    sizes.clear()
    assert one == other
    assert len({one, other}) == 1


def test_a_file_becomes_a_data_uri_of_its_type(tmp_path: Path) -> None:
    file = tmp_path / "icon.png"
    file.write_bytes(PNG)
    shown = Icon(file, sizes=["1x1"], theme="light").wire()
    assert shown == {
        "src": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        "mimeType": "image/png",
        "sizes": ["1x1"],
        "theme": "light",
    }
    assert Icon(shown["src"]).wire() == {"src": shown["src"]}


def test_a_drawing_is_one_too(tmp_path: Path) -> None:
    file = tmp_path / "icon.svg"
    file.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert Icon(file).wire()["mimeType"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("src", "options", "reason"),
    [
        ("icon.png", {}, "absolute http(s) URL"),
        ("", {}, "absolute http(s) URL"),
        ("javascript:alert(1)", {}, "absolute http(s) URL"),
        ("file:///etc/passwd", {}, "absolute http(s) URL"),
        ("https://me:hunter2@a.example/i.png", {}, "absolute http(s) URL"),
        ("https://a.example/ä.png", {}, "absolute http(s) URL"),
        ("data:text/html;base64,AAAA", {}, "data:image/"),
        ("data:image/png,AAAA", {}, "data:image/"),
        ("data:image/png;base64,A", {}, "Base64"),
        ("data:image/png;base64,A A=", {}, "Base64"),
        (5, {}, "absolute http(s) URL"),
        ("https://a.example/i", {"mime_type": "png"}, "image/png"),
        ("https://a.example/i", {"mime_type": "text/html"}, "image/png"),
        ("https://a.example/i", {"sizes": "48x48"}, '["48x48"]'),
        ("https://a.example/i", {"sizes": ["48"]}, '["48x48"]'),
        ("https://a.example/i", {"sizes": ["48x48\n"]}, '["48x48"]'),
        ("https://a.example/i", {"sizes": [48]}, '["48x48"]'),
        ("https://a.example/i", {"sizes": 48}, '["48x48"]'),
        ("https://a.example/i", {"sizes": None}, '["48x48"]'),
        ("https://a.example/i", {"mime_type": 5}, "An icon: "),
        ("https://a.example/i", {"theme": "grey"}, '"light" or "dark"'),
        ("data:image/png;base64," + "A" * MAX_ICON_CHARS, {}, "give its URL"),
    ],
)
def test_what_is_no_icon_is_refused_where_it_is_written(src: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolDefinitionError, match="An icon") as refused:
        Icon(src, **options)
    assert reason in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no picture")
    with pytest.raises(ToolDefinitionError, match="image/png"):
        Icon(file)
    with pytest.raises(FileNotFoundError):
        Icon(tmp_path / "none.png")


def weathervane() -> str:
    return ""


@pytest.mark.parametrize("define", [tool, prompt, lambda **options: resource("a://b", **options)])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"icons": Icon("https://a.example/i.png")}, "icons is a list of Icon"),
        ({"icons": "https://a.example/i.png"}, "icons is a list of Icon"),
        ({"icons": ["https://a.example/i.png"]}, "icons is a list of Icon"),
        ({"icons": None}, "icons is a list of Icon"),
        ({"tags": 5}, "tags is a list of words"),
        ({"meta": {"x": float("nan")}}, "cannot be sent"),
        ({"meta": ["a"]}, "meta is a dict"),
        ({"meta": {1: "a"}}, "meta is a dict"),
        ({"meta": {"io.modelcontextprotocol/x": 1}}, "reserved for MCP"),
        ({"meta": {"a b": 1}}, "begins and ends with a letter or digit"),
        ({"meta": {"x": object()}}, "cannot be sent"),
        ({"meta": {"x": "\udcff"}}, "cannot be sent"),
        ({"tags": "weather"}, "tags is a list of words"),
        ({"tags": [1]}, "tags is a list of words"),
        ({"tags": [" "]}, "tags is a list of words"),
        ({"tags": ["\udcff"]}, "cannot be sent"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_name(define: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolDefinitionError) as refused:
        define(**options)(weathervane)
    assert "weathervane" in str(refused.value)
    assert reason in str(refused.value)


def test_later_changes_of_what_was_given_have_no_effect() -> None:
    meta: dict[str, Any] = {"x": [1]}
    icons = [Icon("https://a.example/i.png")]
    made = tool(meta=meta, icons=icons)(weathervane)
    meta["x"].append(2)
    meta["y"] = 1
    icons.clear()
    assert made.metadata.wire("a/") == {"icons": [{"src": "https://a.example/i.png"}], "_meta": {"x": [1]}}


# --- what is cut -----------------------------------------------------------------------------------------------------


def test_texts_that_clients_cut_are_named() -> None:
    assert cut_short({"instructions": "x" * READ_CHARS, "tool a": ""}) == []
    [line] = cut_short({"instructions": "x" * 2049, "tool a": "x", "tool b": "é" * 10_000})
    assert line.startswith("longer than the 2,048 characters that Claude Code and others pass on to a model: ")
    assert line.endswith(": instructions (2,049 characters), tool b (10,000 characters)")


def test_of_many_the_first_are_named() -> None:
    [line] = cut_short({f"tool {number}": "x" * 3000 for number in range(300)})
    assert line.endswith("tool 4 (3,000 characters) and 295 more")


async def test_the_start_says_it_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    long = "x" * 2049
    app = create_app(
        tools=Registry([tool(name="told", description=long)(weathervane), tool(name="short")(weathervane)]),
        resources=[resource("a://b", name="read", description=long)(weathervane)],
        prompts=[prompt(name="asked", description=long)(weathervane)],
        instructions=long,
    )
    with caplog.at_level(logging.WARNING, "mcp_app"):
        async with app.test_app():
            pass
    [line] = [each.getMessage() for each in caplog.records if "2,048" in each.getMessage()]
    for named in ("instructions (2,049", "tool told (2,049", "resource read (2,049", "prompt asked (2,049"):
        assert named in line
    assert "short" not in line


async def test_a_start_with_short_texts_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(tools=[tool(description="x" * 2048)(weathervane)], instructions="x" * 2048)
    with caplog.at_level(logging.WARNING, "mcp_app"):
        async with app.test_app():
            pass
    assert not [each for each in caplog.records if "2,048" in each.getMessage()]


def test_instructions_that_cannot_be_sent_are_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="instructions cannot be sent"):
        create_app(tools=[], instructions=os.fsdecode(b"\xff"))
