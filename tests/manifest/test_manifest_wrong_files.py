"""Each wrong mcp.json: one line that names the file, the place in it and what is expected there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.manifest import Manifest, ManifestError, parse_manifest

GOOD: dict[str, Any] = {"name": "com.example/streaming-tools", "version": "1.4.0", "description": "Tools."}
KEY = "com.example.streaming-tools/streaming"
AT_EVENTS = f'_meta["{KEY}"].events'


def parse(value: Any) -> Manifest:
    return parse_manifest(json.dumps(value).encode(), file="mcp.json")


def refusal(value: Any) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        parse(value)
    return caught.value


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    # what is wrong, the change to a good file, the place, a part of what is expected
    ("unknown name", {"homepage": "x"}, "homepage", "unknown name; expected one of $schema, name, version"),
    ("misspelt _meta", {"meta": {}}, "meta", "unknown name"),
    ("remotes by hand", {"remotes": []}, "remotes", "not written by hand"),
    ("tools by hand", {"tools": []}, "tools", "not written by hand"),
    ("client's file", {"mcpServers": {"a": {"url": "https://x"}}}, "mcpServers", "client's list of servers"),
    ("another schema", {"$schema": "https://x/v2.json"}, "$schema", "schemas/v1/server-card.schema.json"),
    ("name without slash", {"name": "streaming"}, "name", "reverse-DNS name of 3 to 200 characters"),
    ("name with two slashes", {"name": "com.example/a/b"}, "name", "with one slash"),
    ("name too long", {"name": "com.example/" + "a" * 200}, "name", "(212 characters)"),
    ("name and a line", {"name": "com.example/a\n"}, "name", "reverse-DNS name"),
    ("name not text", {"name": 7}, "name", "got a number"),
    ("name null", {"name": None}, "name", "got null"),
    ("name no _meta prefix", {"name": "com.1example/a"}, "name", "each start with a letter"),
    ("name of MCP's own", {"name": "io.modelcontextprotocol/a"}, "name", "modelcontextprotocol"),
    ("version a range", {"version": "^1.2.3"}, "version", "one version such as 1.4.0, not a range"),
    ("version a wildcard", {"version": "1.x"}, "version", "not a range"),
    ("version two", {"version": "1.0 || 2.0"}, "version", "not a range"),
    ("version not text", {"version": 1.4}, "version", "got a number"),
    ("version too long", {"version": "1" * 256}, "version", "1 to 255 characters"),
    ("description empty", {"description": ""}, "description", "1 to 100 characters"),
    ("description too long", {"description": "x" * 101}, "description", "(101 characters)"),
    ("title too long", {"title": "x" * 101}, "title", "1 to 100 characters"),
    ("title not text", {"title": True}, "title", "got true or false"),
    ("website no URL", {"websiteUrl": "tools.example.com"}, "websiteUrl", "absolute http(s) URL"),
    ("website of another scheme", {"websiteUrl": "javascript:alert(1)"}, "websiteUrl", "absolute http(s) URL"),
    ("website with port 0", {"websiteUrl": "https://a.example:0/"}, "websiteUrl", "absolute http(s) URL"),
    ("website with a broken host", {"websiteUrl": "https://[::1"}, "websiteUrl", "absolute http(s) URL"),
    ("icons no array", {"icons": {"src": "https://x"}}, "icons", "an array of objects with src, got an object"),
    ("icon without src", {"icons": [{}]}, "icons[0].src", "missing"),
    ("icon relative", {"icons": [{"src": "/i.png"}]}, "icons[0].src", "data:image/"),
    ("icon theme", {"icons": [{"src": "https://x/i", "theme": "grey"}]}, "icons[0].theme", '"light" or "dark"'),
    (
        "icon of another type",
        {"icons": [{"src": "https://x/i", "mimeType": "text/html"}]},
        "icons[0].mimeType",
        "image/",
    ),
    ("icon no picture", {"icons": [{"src": "data:text/html;base64,AA=="}]}, "icons[0].src", "data:image/"),
    ("icon not in Base64", {"icons": [{"src": "data:image/png;base64,A"}]}, "icons[0].src", "Base64"),
    ("instructions empty", {"instructions": ""}, "instructions", "at least one character"),
    ("instructions not text", {"instructions": ["a"]}, "instructions", "got an array"),
    ("instructions null", {"instructions": None}, "instructions", "got null"),
    ("instructions misspelt", {"instruction": "x"}, "instruction", "did you mean instructions?"),
    ("websiteUrl misspelt", {"website_url": "https://x"}, "website_url", "did you mean websiteUrl?"),
    (
        "icon type misspelt",
        {"icons": [{"src": "https://x/i", "mimetype": "image/png"}]},
        "icons[0].mimetype",
        "mimeType?",
    ),
    ("icon size", {"icons": [{"src": "https://x/i", "sizes": ["96"]}]}, "icons[0].sizes[0]", '"96x96"'),
    ("icon size and a line", {"icons": [{"src": "https://x/i", "sizes": ["any\n"]}]}, "icons[0].sizes[0]", '"96x96"'),
    ("icon unknown name", {"icons": [{"src": "https://x/i", "alt": ""}]}, "icons[0].alt", "one of src, mimeType"),
    ("repository no object", {"repository": "https://x"}, "repository", "an object with url and source"),
    ("repository without source", {"repository": {"url": "https://x"}}, "repository.source", "missing"),
    (
        "repository folder outside",
        {"repository": {"url": "https://x", "source": "github", "subfolder": "../x"}},
        "repository.subfolder",
        "inside of the repository",
    ),
    (
        "repository folder and a line",
        {"repository": {"url": "https://x", "source": "github", "subfolder": "server\n"}},
        "repository.subfolder",
        "inside of the repository",
    ),
    ("_meta no object", {"_meta": []}, "_meta", "got an array"),
    (
        "_meta key with two slashes",
        {"_meta": {"com.example/a/streaming": {}}},
        '_meta["com.example/a/streaming"]',
        "DNS",
    ),
    ("_meta key of MCP's own", {"_meta": {"dev.mcp/x": 1}}, '_meta["dev.mcp/x"]', "reserved for MCP"),
    ("_meta key name", {"_meta": {"com.example/-x": 1}}, '_meta["com.example/-x"]', "begins and ends with"),
    ("_meta of a former name", {"_meta": {"com.old/streaming": {}}}, '_meta["com.old/streaming"]', f'"{KEY}"'),
    ("streaming no object", {"_meta": {KEY: "/sse"}}, f'_meta["{KEY}"]', "an object with events, got '/sse'"),
    ("streaming unknown name", {"_meta": {KEY: {"path": "/sse"}}}, f'_meta["{KEY}"].path', "one of events"),
    ("events not text", {"_meta": {KEY: {"events": 1}}}, AT_EVENTS, "got a number"),
    ("events null", {"_meta": {KEY: {"events": None}}}, AT_EVENTS, "got null"),
    ("events relative", {"_meta": {KEY: {"events": "api/sse"}}}, AT_EVENTS, "an absolute path such as"),
]


@pytest.mark.parametrize(("change", "place", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_file_is_one_line_with_file_place_and_expectation(
    change: dict[str, Any], place: str, expected: str
) -> None:
    error = refusal(GOOD | change)
    line = str(error)
    assert line.startswith(f"mcp.json: {place}: ")
    assert expected in line
    assert "\n" not in line
    assert "(and" not in line, "one mistake was counted as several"


@pytest.mark.parametrize("name", ["name", "version", "description"])
def test_a_missing_field_is_named(name: str) -> None:
    error = refusal({key: value for key, value in GOOD.items() if key != name})
    assert str(error).startswith(f"mcp.json: {name}: missing: expected ")


def test_of_several_mistakes_the_first_is_told_and_the_rest_counted() -> None:
    assert str(refusal({})).endswith("(and 2 more)")


@pytest.mark.parametrize("url", ["https://me:hunter2@tools.example.com", "https://hunter2@x"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    for change in ({"websiteUrl": url}, {"repository": {"url": url, "source": "x"}}, {"icons": [{"src": url}]}):
        assert "hunter2" not in str(refusal(GOOD | change))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "the file is empty"),
        (b"{", "the file is not JSON"),
        (b"\xff\xfe{}", "the file is not UTF-8"),
        (b"[]", "expected a JSON object"),
        (b"null", "expected a JSON object"),
        (b'{"name": "a/b", "name": "a/c"}', '"name" stands twice'),
        (b'{"version": NaN}', "NaN is not JSON"),
        (b"[" * 1000, "nests deeper"),
        (b" " * 262_145, "expected at most 262144 bytes, got 262145"),
    ],
)
def test_what_is_no_json_object_is_one_line(text: bytes, expected: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text, file="mcp.json")
    line = str(caught.value)
    assert line.startswith("mcp.json: ")
    assert expected in line
    assert "\n" not in line
    assert "body" not in line, "that is the word for requests"


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_manifest(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), file="x").card.name == GOOD["name"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["$schema", "name", "version", "title", "websiteUrl", "repository", "icons", "_meta"])


@given(st.dictionaries(names | st.text(max_size=8), json_values, max_size=4))
def test_any_json_is_a_manifest_or_one_line(change: dict[str, Any]) -> None:
    try:
        manifest = parse(GOOD | change)
    except ManifestError as error:
        line = str(error)
        assert line.startswith("mcp.json: ")
        assert len(line.splitlines()) == 1
        assert line.isprintable()
    else:
        assert manifest.events_path.startswith("/")
