"""What this server is called as a resource, and the documents that say so."""

from __future__ import annotations

import pytest

from mcp_app.auth.oauth.resources import Audiences, ProtectedResources, canonical

ISSUERS = ["https://id.test/realms/tools", "https://other.test/"]
PATHS = ("/mcp", "/api/v1/mcp/sse")


def resources(url: str = "https://tools.test", **arguments: object) -> ProtectedResources:
    return ProtectedResources(url, PATHS, ISSUERS, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("https://Tools.Test:443/", "https://tools.test"),
        ("HTTPS://tools.test/mcp/", "https://tools.test/mcp"),
        ("http://tools.test:80", "http://tools.test"),
        ("http://tools.test:443", "http://tools.test:443"),
        ("https://[FD00::7]:8443/Mcp", "https://[fd00::7]:8443/Mcp"),
        ("https://tools.test/mcp?x=1", "https://tools.test/mcp?x=1"),
        ("https://tools.test@evil.test", "https://tools.test@evil.test"),
        ("https://tools.test:x", "https://tools.test:x"),
        ("api://Tools/", "api://Tools/"),
        ("Tools", "Tools"),
        ("", ""),
    ],
)
def test_one_spelling_of_a_resource(written: str, one: str) -> None:
    assert canonical(written) == one


def test_the_root_and_each_endpoint_has_a_document() -> None:
    documents = resources(scopes=["read", "write"], name="Tools").documents()
    assert set(documents) == {
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/api/v1/mcp/sse",
    }
    assert documents["/.well-known/oauth-protected-resource/mcp"] == {
        "resource": "https://tools.test/mcp",
        "authorization_servers": ISSUERS,
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read", "write"],
        "resource_name": "Tools",
    }


def test_scopes_and_a_name_are_left_out_where_there_are_none() -> None:
    [root, *_] = resources().documents().values()
    assert root == {
        "resource": "https://tools.test",
        "authorization_servers": ISSUERS,
        "bearer_methods_supported": ["header"],
    }


def test_below_a_path_of_a_proxy_addresses_have_it() -> None:
    below = resources("https://host.test/tools/")
    document = below.documents()["/.well-known/oauth-protected-resource/mcp"]
    assert document["resource"] == "https://host.test/tools/mcp"
    assert below.metadata_url("/mcp") == "https://host.test/tools/.well-known/oauth-protected-resource/mcp"


def test_a_path_that_is_no_endpoint_belongs_to_the_root() -> None:
    assert resources().metadata_url("/api/v1/mcp/runs") == "https://tools.test/.well-known/oauth-protected-resource"
    assert resources().metadata_url("/mcp") == "https://tools.test/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize(
    ("audience", "ours"),
    [
        ("https://host.test/tools", True),
        ("https://host.test/tools/mcp", True),
        ("https://host.test", True),
        ("HTTPS://HOST.test:443/tools/mcp/", True),
        ("their-name", True),
        (["x", "https://host.test"], True),
        ("https://host.test/other", False),
        ("http://host.test/tools", False),
        ("Their-Name", False),
        (None, False),
        ({"https://host.test": 1}, False),
    ],
)
def test_audiences(audience: object, ours: bool) -> None:
    known = resources("https://host.test/tools", audiences=["their-name"]).audiences
    assert known.include(audience) is ours


def test_the_first_audience_is_shown() -> None:
    assert Audiences(["https://A.test/", "b"]).main == "https://a.test"
