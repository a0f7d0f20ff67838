"""Every document about the server, against the published schemas and against what the live server said; that about its
tools as operations of HTTP has tests of its own, test_openapi.py."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app import Icon, prompt, resource, tool
from mcp_app.authoring.metadata import Metadata
from mcp_app.manifest import CORS, Document, LiveServer, ManifestError, documents_of, load_manifest, parse_manifest
from mcp_app.manifest.paths import OPENAPI_PATH

FOLDER = Path(__file__).parent
CARD = json.loads((FOLDER / "server-card.v1.schema.json").read_text())
CATALOG = json.loads((FOLDER / "ai-catalog.v1.schema.json").read_text())
MCP_2026 = ["2026-07-28", "2025-11-25"]
BASE = "https://tools.example.com"
KEY = "com.example.streaming-tools/streaming"
ALL = {
    "/mcp/server-card": "application/mcp-server-card+json",
    "/.well-known/ai-catalog.json": "application/ai-catalog+json",
    "/mcp.json": "application/json",
    "/.well-known/mcp.json": "application/json",
    "/.well-known/mcp/server-card.json": "application/json",
}

FULL = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
    "name": "com.example/streaming-tools",
    "version": "1.4.0",
    "title": "Example streaming tools, été",
    "description": "Domain scan, database query and workflow tools with live progress over SSE.",
    "websiteUrl": "https://tools.example.com/docs",
    "repository": {"url": "https://github.com/example/streaming-tools", "source": "github", "subfolder": "server"},
    "icons": [{"src": "https://tools.example.com/icon.png", "mimeType": "image/png", "sizes": ["96x96"]}],
    "_meta": {KEY: {"events": "/live/events"}, "com.example/build": {"commit": "abc"}},
}


@dataclass
class Tool:
    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    output_schema: dict[str, Any] | None = None
    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True
    metadata: Metadata = field(default_factory=Metadata)
    scopes: frozenset[str] = frozenset()


TOOLS = [
    Tool("scan_domain", "Scan a domain", "Looks at it.", output_schema={"type": "object"}, read_only=True),
    Tool("drop_table"),
]


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a stricter version could be: no unknown names in any object that lists its names."""
    strict = copy.deepcopy(schema)
    for definition in strict["$defs"].values():
        definition["additionalProperties"] = False
    return strict


def live(revisions: list[str] | None = None, **changes: Any) -> LiveServer:
    values: dict[str, Any] = {"tools": TOOLS, "heartbeat_seconds": 15.0, "cap_seconds": 120.0}
    return LiveServer(**(values | {"revisions": revisions or []} | changes))


def made(revisions: list[str] | None = None, *, file: dict[str, Any] = FULL, base: str = BASE) -> dict[str, Document]:
    manifest = parse_manifest(json.dumps(file).encode(), file="mcp.json")
    every = documents_of(manifest, live(revisions), base_url=base, cacheable=True)
    return {document.path: document for document in every if document.path != OPENAPI_PATH}


def documents(revisions: list[str] | None = None, **more: Any) -> dict[str, dict[str, Any]]:
    return {path: json.loads(document.body) for path, document in made(revisions, **more).items()}


REVISIONS = [[], MCP_2026, [*MCP_2026, "2024-11-05"], ["2024-11-05"]]


@pytest.mark.parametrize("revisions", REVISIONS)
@pytest.mark.parametrize("file", [FULL, {name: FULL[name] for name in ("name", "version", "description")}])
def test_every_card_is_a_server_card_v1(file: dict[str, Any], revisions: list[str]) -> None:
    all_documents = documents(revisions, file=file)
    for path in ALL:
        if path != "/.well-known/ai-catalog.json":
            jsonschema.Draft202012Validator(CARD).validate(all_documents[path])


@pytest.mark.parametrize("revisions", REVISIONS)
def test_the_standards_door_stays_valid_when_its_schema_is_closed(revisions: list[str]) -> None:
    jsonschema.Draft202012Validator(closed(CARD)).validate(documents(revisions)["/mcp/server-card"])


def test_the_closed_schema_would_refuse_what_is_on_our_own_paths() -> None:
    """Otherwise the test above could not fail."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(closed(CARD)).validate(documents(MCP_2026)["/mcp.json"])


def test_the_default_file_makes_valid_documents() -> None:
    for document in documents_of(load_manifest(), live(), base_url="https://127.0.0.1:8443", cacheable=False):
        if document.path == OPENAPI_PATH:
            continue
        schema = CATALOG if document.path.endswith("ai-catalog.json") else CARD
        jsonschema.Draft202012Validator(schema).validate(json.loads(document.body))


def test_the_documents_and_their_types() -> None:
    assert {path: document.content_type for path, document in made().items()} == ALL


def test_the_catalog_points_at_the_card() -> None:
    catalog = documents()["/.well-known/ai-catalog.json"]
    jsonschema.Draft202012Validator(CATALOG).validate(catalog)
    assert catalog == {
        "specVersion": "1.0",
        "entries": [
            {
                "identifier": "urn:air:example.com:streaming-tools",
                "type": "application/mcp-server-card+json",
                "url": f"{BASE}/mcp/server-card",
            }
        ],
    }


def test_what_the_author_wrote_is_served_as_written() -> None:
    card = documents()["/mcp/server-card"]
    written = {name: value for name, value in FULL.items() if name != "_meta"}
    assert {name: card[name] for name in written} == written
    assert card["_meta"]["com.example/build"] == {"commit": "abc"}


def test_what_the_live_server_knows_is_served() -> None:
    assert documents()["/mcp/server-card"]["_meta"][KEY] == {
        "events": f"{BASE}/live/events",
        "tools": f"{BASE}/live/tools",
        "runs": f"{BASE}/live/runs",
        "tickets": f"{BASE}/live/tickets",
        "responseTypes": ["text/event-stream", "application/json"],
        "heartbeatSeconds": 15,
        "maxStreamSeconds": 120,
    }


def test_a_fraction_of_a_second_is_kept() -> None:
    manifest = parse_manifest(json.dumps(FULL).encode(), file="mcp.json")
    document = documents_of(manifest, live(heartbeat_seconds=0.5), base_url=BASE, cacheable=True)[0]
    assert json.loads(document.body)["_meta"][KEY]["heartbeatSeconds"] == 0.5


def test_while_no_mcp_is_spoken_none_is_promised() -> None:
    for document in documents([]).values():
        assert not {"remotes", "endpoint", "mcpServers"} & document.keys()


def test_streamable_http_is_promised_when_it_is_spoken() -> None:
    served = documents(MCP_2026)
    remotes = [{"type": "streamable-http", "url": f"{BASE}/mcp", "supportedProtocolVersions": MCP_2026}]
    for path in ALL:
        if path != "/.well-known/ai-catalog.json":
            assert served[path]["remotes"] == remotes
    for path in ("/mcp.json", "/.well-known/mcp.json"):
        assert served[path]["endpoint"] == f"{BASE}/mcp"
        assert served[path]["mcpServers"] == {"streaming-tools": {"type": "http", "url": f"{BASE}/mcp"}}
    for path in ("/mcp/server-card", "/.well-known/mcp/server-card.json"):
        assert not {"endpoint", "mcpServers"} & served[path].keys()


def test_the_old_transport_is_a_remote_of_its_own_kind() -> None:
    old = {"type": "sse", "url": f"{BASE}/live/events", "supportedProtocolVersions": ["2024-11-05"]}
    both = documents([*MCP_2026, "2024-11-05"])["/mcp.json"]
    assert both["remotes"][1] == old
    assert both["remotes"][0]["supportedProtocolVersions"] == MCP_2026
    alone = documents(["2024-11-05"])["/mcp.json"]
    assert alone["remotes"] == [old]
    assert "endpoint" not in alone, "that is the address of Streamable HTTP"


def test_the_listing_for_scanners() -> None:
    served = documents()
    listing = served["/.well-known/mcp/server-card.json"]
    more = {name: listing[name] for name in listing.keys() - served["/mcp/server-card"].keys()}
    assert more == {
        "serverInfo": {
            "name": "com.example/streaming-tools",
            "version": "1.4.0",
            "title": "Example streaming tools, été",
            "description": "Domain scan, database query and workflow tools with live progress over SSE.",
            "icons": [{"src": "https://tools.example.com/icon.png", "mimeType": "image/png", "sizes": ["96x96"]}],
            "websiteUrl": "https://tools.example.com/docs",
        },
        "authentication": {"required": False, "schemes": []},
        "tools": [
            {
                "name": "scan_domain",
                "title": "Scan a domain",
                "description": "Looks at it.",
                "inputSchema": {"type": "object"},
                "outputSchema": {"type": "object"},
                "annotations": {
                    "readOnlyHint": True,
                    "destructiveHint": True,
                    "idempotentHint": False,
                    "openWorldHint": True,
                },
            },
            {
                "name": "drop_table",
                "inputSchema": {"type": "object"},
                "annotations": {
                    "readOnlyHint": False,
                    "destructiveHint": True,
                    "idempotentHint": False,
                    "openWorldHint": True,
                },
            },
        ],
        "resources": [],
        "resourceTemplates": [],
        "prompts": [],
    }


def test_the_listing_has_what_the_server_has() -> None:
    @tool(icons=[Icon("https://a.example/i.png")], tags=["words"], meta={"com.other/x": [1]})
    def count() -> int:
        """Count."""
        return 1

    @resource("notes://all", tags=["notes"])
    def notes() -> str:
        """Every note."""
        return ""

    @resource("notes://{number}")
    def note(number: int) -> str:
        """One note."""
        return ""

    @prompt(icons=[Icon("https://a.example/p.svg", "image/svg+xml", ["any"], "dark")])
    def ask(topic: str) -> str:
        """Ask."""
        return topic

    manifest = parse_manifest(json.dumps(FULL).encode(), file="mcp.json")
    what = live(tools=[count], resources=[notes], templates=[note], prompts=[ask], instructions="Count first.")
    by_path = {
        document.path: json.loads(document.body)
        for document in documents_of(manifest, what, base_url=BASE, cacheable=True)
    }
    listing = by_path["/.well-known/mcp/server-card.json"]
    [shown] = listing["tools"]
    assert shown["icons"] == [{"src": "https://a.example/i.png"}]
    assert shown["_meta"] == {"com.example.streaming-tools/tags": ["words"], "com.other/x": [1]}
    assert [each["uri"] for each in listing["resources"]] == ["notes://all"]
    assert listing["resources"][0]["_meta"] == {"com.example.streaming-tools/tags": ["notes"]}
    assert [each["uriTemplate"] for each in listing["resourceTemplates"]] == ["notes://{number}"]
    assert [each["name"] for each in listing["prompts"]] == ["ask"]
    assert listing["prompts"][0]["icons"] == [
        {"src": "https://a.example/p.svg", "mimeType": "image/svg+xml", "sizes": ["any"], "theme": "dark"}
    ]
    for path, document in by_path.items():
        standard = path in ("/mcp/server-card", "/.well-known/ai-catalog.json", OPENAPI_PATH)
        assert document.get("instructions") == (None if standard else "Count first."), path


def test_a_real_tool_has_the_facts() -> None:
    @tool(read_only=True, title="Count words")
    def count_words(text: str, lower: bool = False) -> int:
        """Count the words of a text."""
        return len(text.split())

    manifest = parse_manifest(json.dumps(FULL).encode(), file="mcp.json")
    made_documents = documents_of(manifest, live(tools=[count_words]), base_url=BASE, cacheable=True)
    [listing] = [each for each in made_documents if each.path == "/.well-known/mcp/server-card.json"]
    (shown,) = json.loads(listing.body)["tools"]
    assert (shown["name"], shown["title"]) == ("count_words", "Count words")
    assert shown["description"] == "Count the words of a text."
    assert shown["inputSchema"]["required"] == ["text"]
    assert shown["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": True,
    }


@pytest.mark.parametrize(
    "base", ["https://a.example/tools", "https://a.example/tools/", "http://[::1]:8000", "http://h:1/"]
)
def test_urls_are_below_the_base(base: str) -> None:
    card = documents(base=base)["/mcp/server-card"]
    assert card["_meta"][KEY]["events"] == base.rstrip("/") + "/live/events"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "tools.example.com",
        "ftp://x",
        "https://",
        "https://:443",
        "https://me:hunter2@x",
        "https://x?y=hunter2",
        "https://x/#y",
        "https://x:0",
        "https://x:hunter2",
        "https://[::1",
        "https://x y",
        "https://x\n",
        "https://x/{y}",
    ],
)
def test_a_base_that_is_no_address_is_one_line(base: str) -> None:
    with pytest.raises(ManifestError) as caught:
        documents(base=base)
    assert str(caught.value).startswith("public URL: expected http(s)://")
    assert len(str(caught.value).splitlines()) == 1
    assert "hunter2" not in str(caught.value)


def test_the_whole_document_with_its_headers() -> None:
    document = made()["/mcp/server-card"]
    status, headers, body = document.answer(None)
    assert (status, body) == (200, document.body)
    assert dict(headers) == {
        "Content-Type": "application/mcp-server-card+json",
        "X-Content-Type-Options": "nosniff",
        "ETag": document.etag,
        "Cache-Control": "public, max-age=3600",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "Content-Type, If-None-Match",
        "Access-Control-Expose-Headers": "ETag",
    }
    assert body.decode().endswith("\n")
    assert "été" in body.decode()


def test_a_caller_who_has_it_gets_304_without_body_and_type() -> None:
    document = made()["/mcp.json"]
    status, headers, body = document.answer(f'"other", W/{document.etag}')
    assert (status, body) == (304, b"")
    assert dict(headers) == {"ETag": document.etag, "Cache-Control": "public, max-age=3600"} | dict(CORS)


def test_a_caller_who_has_another_gets_the_document() -> None:
    assert made()["/mcp.json"].answer('"other"')[0] == 200


def test_on_loopback_it_is_asked_for_again_each_time() -> None:
    manifest = parse_manifest(json.dumps(FULL).encode(), file="mcp.json")
    for document in documents_of(manifest, live(), base_url="http://127.0.0.1:8000", cacheable=False):
        assert dict(document.answer(None)[1])["Cache-Control"] == "no-cache"
        assert document.answer(document.etag)[0] == 304


def test_the_tag_changes_with_what_is_served_and_with_nothing_else() -> None:
    first, again, more = made(), made(), made(MCP_2026)
    assert {path: document.etag for path, document in first.items()} == {
        path: document.etag for path, document in again.items()
    }
    assert first["/mcp.json"].etag != more["/mcp.json"].etag


texts = st.text(min_size=1, max_size=100)


@given(title=texts, description=texts)
def test_any_text_of_the_author_comes_out_as_it_went_in(title: str, description: str) -> None:
    file = FULL | {"title": title, "description": description}
    for path, document in documents(MCP_2026, file=file).items():
        if path != "/.well-known/ai-catalog.json":
            assert (document["title"], document["description"]) == (title, description)
            jsonschema.Draft202012Validator(CARD).validate(document)
