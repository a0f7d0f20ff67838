"""From JSON Schema to a form and back, the ledger of ids and the command line: the modules themselves, in Chromium."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from page_visitor import Site, Visitor
from playwright.async_api import Page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

OMIT = {"omit": True}
BAD = "throws"

READ = """async ([schema, required, raw]) => {
  const { describe, read } = await import("/page/schema.js");
  const field = describe("x", schema, schema, required);
  const { kind } = field;
  try { return { kind, answer: read(field, raw) }; } catch (error) { return { kind, answer: "throws" }; }
}"""


def value(of: Any) -> dict[str, Any]:
    return {"value": of}


# schema, required, what is typed, the kind of control, what is read
CASES: list[tuple[dict[str, Any], bool, Any, str, Any]] = [
    ({"type": "string"}, True, "a", "text", value("a")),
    ({"type": "string"}, True, " ", "text", value(" ")),
    ({"type": "string"}, True, "", "text", BAD),
    ({"type": "string"}, False, "", "text", OMIT),
    ({"type": "string", "default": "d"}, False, "", "text", value("")),
    ({"type": "string", "minLength": 2}, True, "🙂", "text", BAD),
    ({"type": "string", "maxLength": 1}, True, "🙂", "text", value("🙂")),
    ({"type": "string", "pattern": "^a+$"}, True, "b", "text", BAD),
    ({"type": "string", "pattern": "b"}, True, "abc", "text", value("abc")),  # not anchored: Validation, 6.3.3
    ({"type": "string", "pattern": "(?P<n>x)"}, True, "y", "text", value("y")),  # another engine's grammar
    ({"type": "string", "maxLength": 5000}, True, "a\nb", "long", value("a\nb")),
    ({"type": "integer"}, True, "7", "integer", value(7)),
    ({"type": "integer"}, True, "1e2", "integer", value(100)),
    ({"type": "integer"}, True, "7.5", "integer", BAD),
    ({"type": "integer"}, True, "12345678901234567890", "integer", value(12345678901234567890)),
    ({"type": "integer"}, True, "9007199254740993", "integer", value(9007199254740993)),  # 2^53 + 1
    ({"type": "integer", "maximum": 9007199254740993}, True, "9007199254740995", "integer", BAD),
    ({"type": "integer", "minimum": 1}, True, "0", "integer", BAD),
    ({"type": "integer", "maximum": 9}, True, "10", "integer", BAD),
    ({"type": "integer", "default": 5}, False, "", "integer", OMIT),
    ({"type": "number", "exclusiveMinimum": 0}, True, "0", "number", BAD),
    ({"type": "number", "exclusiveMaximum": 1}, True, "1", "number", BAD),
    ({"type": "number"}, True, "1e-3", "number", value(0.001)),
    ({"type": "number"}, True, "?", "number", BAD),
    ({"type": "boolean"}, True, False, "boolean", value(False)),
    ({"type": "boolean", "default": True}, False, True, "boolean", value(True)),
    ({"type": "boolean"}, False, "", "choice", OMIT),
    ({"type": "boolean"}, False, "1", "choice", value(False)),
    ({"enum": ["a", 2, True]}, True, "1", "choice", value(2)),
    ({"const": "only"}, True, "0", "choice", value("only")),
    ({"enum": ["a"]}, True, "", "choice", BAD),
    ({"oneOf": [{"const": 1}, {"const": 2}]}, True, "1", "choice", value(2)),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, False, "", "text", OMIT),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": "d"}, False, "", "text", value(None)),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True, "", "text", value(None)),
    ({"type": ["integer", "null"], "default": None}, False, "3", "integer", value(3)),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, True, '"3"', "json", value("3")),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, True, "3", "json", value(3)),
    ({"type": "object"}, True, '{"a": [1]}', "json", value({"a": [1]})),
    ({"type": "object"}, True, "{", "json", BAD),
    ({"type": "object"}, False, " ", "json", OMIT),
    ({"type": "object"}, True, '{"a": 725653563933458432}', "json", value({"a": 725653563933458432})),
    ({"type": "array", "items": {"type": "string"}}, True, " a \n\nb\n", "lines", value(["a", "b"])),
    ({"type": "array", "items": {"type": "integer"}}, True, "1\n2", "lines", value([1, 2])),
    ({"type": "array", "items": {"type": "integer"}}, True, "1\nx", "lines", BAD),
    ({"type": "array", "items": {"type": "string"}}, False, "", "lines", OMIT),
    ({"type": "array", "items": {"type": "string"}, "default": ["a"]}, False, "", "lines", value([])),
    ({"type": "array", "items": {"type": "string"}, "minItems": 1}, True, "", "lines", BAD),
    ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, True, "a\nb", "lines", BAD),
    ({"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True}, True, ["1"], "choices", value(["b"])),
    ({"type": "array", "items": {"type": "object"}}, True, "[{}]", "json", value([{}])),
    ({"type": "array"}, True, "[1]", "json", value([1])),
    ({}, True, "1", "json", value(1)),
    ({"$ref": "#/$defs/E", "$defs": {"E": {"enum": ["p", "q"]}}}, True, "1", "choice", value("q")),
    ({"allOf": [{"$ref": "#/$defs/E"}], "$defs": {"E": {"type": "integer"}}}, True, "1", "integer", value(1)),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}, True, "1", "integer", value(1)),
    ({"$ref": "#"}, True, "1", "json", value(1)),  # a circle ends
    ({"$ref": "https://example.com/schema"}, True, "1", "json", value(1)),  # never fetched
]


async def test_a_field_is_asked_for_and_read_as_its_schema_says(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    for schema, required, raw, kind, answer in CASES:
        got = await page.evaluate(READ, [schema, required, raw])
        assert got == {"kind": kind, "answer": answer}, (schema, required, raw)


async def test_which_schemas_have_a_form(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)

    async def names(schema: Any) -> Any:
        script = "async (s) => (await import('/page/schema.js')).fieldsOf(s)?.map((f) => f.name) ?? null"
        return await page.evaluate(script, schema)

    assert await names({"type": "object", "properties": {"b": {}, "a": {}}}) == ["b", "a"]
    assert await names({"type": "object", "additionalProperties": False}) == []
    assert await names({"type": "object"}) is None
    assert await names({"type": "object", "additionalProperties": {"type": "string"}}) is None


async def query(page: Page, params: dict[str, Any], plain: list[str]) -> Any:
    script = """async ([params, plain]) => {
      const { startUrl } = await import("/page/api.js");
      const url = startUrl("/e", "t", params, { cap_seconds: 4 }, new Set(plain), "k");
      return url === null ? null : [...new URLSearchParams(url.slice(3))];
    }"""
    return await page.evaluate(script, [params, plain])


async def test_a_query_has_text_for_what_is_plain_and_json_for_the_rest(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    params = {"s": "ä&=", "l": [1, 2], "none": [], "null": None, "either": "3", "o": {"a": 1}}
    found = await query(page, params, ["s", "l", "none", "null", "o"])
    own = [["tool", "t"], ["run", "k"], ["heartbeat", "event"], ["cap_seconds", "4"]]
    texts = [["s", "ä&="], ["l", "1"], ["l", "2"]]
    assert found == [*own, *texts, ["params", '{"none":[],"null":null,"either":"3","o":{"a":1}}']]
    assert await query(page, {"s": "x" * 9000}, ["s"]) is None


async def test_the_ledger_knows_what_came_twice_and_what_is_missing(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (ids) => {
      const { Ledger } = await import("/page/ledger.js");
      const ledger = new Ledger();
      const verdicts = ids.map((id) => ledger.take(id));
      return { verdicts, ...ledger };
    }"""
    got = await page.evaluate(script, ["a/1", "a/2", "a/1", "a/2", "a/4", "b/5", "", "a/x", "/1"])
    assert got["verdicts"] == ["new", "new", "replayed", "replayed", "new", "other", *["unnumbered"] * 3]
    assert (got["seen"], got["replayed"], got["missing"], got["last"]) == (3, 2, 1, 4)


async def test_the_command_line_survives_a_shell(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    params = {"text": 'it\'s "$HOME" `id` \\ !\n; rm', "n": 1}
    script = 'async (p) => (await import("/page/curl.js")).curlLine("https://[::1]:8443/e?a=b&c", "t", p, {})'
    words = shlex.split(await page.evaluate(script, params))
    assert words[:5] == ["curl", "-N", "-X", "POST", "https://[::1]:8443/e?a=b&c"]
    body = await page.evaluate("(text) => JSON.parse(text)", words[words.index("-d") + 1])
    assert body == {"tool": "t", "params": params}


async def test_keys_are_long_enough_and_differ(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = 'async () => { const { newKey } = await import("/page/api.js"); return Array.from({length: 50}, newKey) }'
    keys = await page.evaluate(script)
    assert len(set(keys)) == 50
    assert all(len(key) >= 22 and key.replace("-", "").replace("_", "").isalnum() for key in keys)
