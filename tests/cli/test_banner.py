"""What is printed at the start, and a curl line that the tool accepts."""

from __future__ import annotations

import json
import shlex
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from mcp_app import Tool, tool
from mcp_app.cli.banner import banner, curl, example
from mcp_app.server.certificates import Certificates
from mcp_app.server.tls import Development, TlsOff

URLS = ["https://localhost:8443", "http://localhost:8000"]
PATH = "/api/v1/mcp/sse"
DEVELOPMENT = Development(Certificates(Path("/certs")), made=True)


@tool(read_only=True)
async def scan_domain(domain: str, port: int = 443) -> str:
    """As the tutorial calls it."""
    return domain


def test_the_line_is_the_tutorials() -> None:
    assert curl(URLS, PATH, scan_domain, DEVELOPMENT) == (
        "curl -N -X POST http://localhost:8000/api/v1/mcp/sse -H 'Content-Type: application/json' "
        """-d '{"tool": "scan_domain", "params": {"domain": "example.com"}}'"""
    )


def test_where_callers_are_asked_the_lines_have_a_key() -> None:
    key = '-H "Authorization: Bearer $KEY" '
    assert key in curl(URLS, PATH, scan_domain, DEVELOPMENT, asks=True)
    text = banner(URLS, PATH, [scan_domain], DEVELOPMENT, asks=True, verifies=True)
    assert "\n  callers are asked who they are\n" in text
    assert text.count("Authorization: Bearer $KEY") == 3  # two curls, one client
    reachable = banner(URLS, PATH, [], None, reachable=["0.0.0.0:8443"], asks=True, verifies=True)
    assert "other machines can reach 0.0.0.0:8443, callers are asked who they are" in reachable
    nobody = banner(URLS, PATH, [], None, reachable=["0.0.0.0:8443"])
    assert "other machines can reach 0.0.0.0:8443, and nobody is asked who they are" in nobody
    assert "Authorization" not in nobody


def test_where_nobody_can_be_known_it_says_so() -> None:
    text = banner(URLS, PATH, [scan_domain], DEVELOPMENT, asks=True, verifies=False)
    assert "EVERY CALL IS REFUSED" in text
    assert "mcp-app keys add NAME" in text
    assert "EVERY" not in banner(URLS, PATH, [scan_domain], DEVELOPMENT)


def test_with_tls_only_it_trusts_the_authority() -> None:
    assert "curl -N --cacert /certs/ca.pem -X POST https://localhost:8443/api" in curl(
        URLS[:1], PATH, scan_domain, DEVELOPMENT
    )
    assert "--cacert" not in curl(URLS[:1], PATH, scan_domain, None)


def test_addresses_tools_and_certificate_are_named() -> None:
    text = banner(URLS, PATH, [scan_domain], DEVELOPMENT)
    for part in ("Serving 1 tool: scan_domain", "https://localhost:8443/", "http://localhost:8000/", "made just now"):
        assert part in text


def test_resources_and_prompts_are_counted() -> None:
    assert banner(URLS, PATH, [], None, resources=2).startswith("Serving 0 tools; 2 resources for MCP clients\n")
    text = banner(URLS, PATH, [scan_domain], None, resources=1, prompts=3)
    assert text.startswith("Serving 1 tool: scan_domain; 1 resource and 3 prompts for MCP clients\n")


def test_a_schema_that_takes_anything_has_an_example() -> None:
    schema = {"type": "object", "required": ["a", "url"], "properties": {"a": True, "url": {"$ref": "#/$defs/x"}}}
    assert example({**schema, "$defs": {"x": True}}) == {"a": "example", "url": "https://example.com/"}


class Color(Enum):
    RED = "red"


class Inner(BaseModel):
    count: int = Field(ge=3)
    inside: list[Inner] = []


@tool
def many(
    text: str,
    quoted: Annotated[str, Field(examples=["it's"])],
    number: Annotated[int, Field(gt=10)],
    fraction: Annotated[float, Field(lt=0)],
    flag: bool,
    color: Color,
    choice: Literal["a", "b"],
    inner: Inner,
    some: Annotated[list[Inner], Field(min_length=1)],
    anything: Any,
    maybe: int | None,
    optional: int = 5,
) -> None:
    """A parameter of each kind."""


@tool
def none() -> None:
    """Takes nothing."""


@pytest.mark.parametrize("each", [many, none, scan_domain], ids=lambda each: each.name)
def test_the_example_is_what_the_tool_takes(each: Tool) -> None:
    each.arguments(example(each.input_schema))
    words = shlex.split(curl(URLS, PATH, each, None))
    body = json.loads(words[-1])
    assert body["tool"] == each.name
    each.arguments(body["params"])


def test_only_what_is_required_is_given() -> None:
    assert "optional" not in example(many.input_schema)
    assert example(many.input_schema)["quoted"] == "it's"
    assert example(none.input_schema) == {}


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
    }
    assert example(schema)["a"]


def test_every_way_in_is_a_line_to_copy() -> None:
    lines = banner(URLS, PATH, [scan_domain], DEVELOPMENT, name="my-tools").splitlines()
    first, second = (line for line in lines if line.startswith("  curl "))
    assert "http://localhost:8000/" in first
    assert "--cacert /certs/ca.pem -X POST https://localhost:8443/" in second
    assert "  claude mcp add --transport http my-tools http://localhost:8000/mcp" in lines
    only_tls = banner(URLS[:1], PATH, [scan_domain], None)
    assert only_tls.count("  curl ") == 1
    assert "https://localhost:8443/mcp" in only_tls


def test_that_https_is_off_and_that_others_can_reach_it_is_said() -> None:
    text = banner(URLS[1:], PATH, [scan_domain], TlsOff("no home: say so"), reachable=["0.0.0.0:8000"])
    assert "  https is off: no home: say so\n" in text
    assert "  other machines can reach 0.0.0.0:8000, and nobody is asked who they are\n" in text
    assert "certificate" not in text
    assert "other machines" not in banner(URLS, PATH, [scan_domain], DEVELOPMENT)
