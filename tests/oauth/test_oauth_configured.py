"""The verifier of access tokens as the settings describe it, and what is said where it cannot be made."""

from __future__ import annotations

import sys

import pytest
from oauth_tokens import ISSUER, SERVER

from mcp_app import Settings
from mcp_app.auth.configured import configured
from mcp_app.auth.oauth.verifier import OAuth
from mcp_app.auth.verifier import VerifierError


def made(**settings: str) -> OAuth:
    [verifier] = configured(Settings(public_url=f"{SERVER}/below/", **settings), ["/mcp"], "Tools")  # type: ignore[arg-type]
    assert isinstance(verifier, OAuth)
    return verifier


def test_without_issuers_there_is_none() -> None:
    assert configured(Settings(public_url=SERVER), ["/mcp"]) == []  # type: ignore[arg-type]


def test_it_is_what_the_settings_say() -> None:
    verifier = made(
        oauth_issuers=f"{ISSUER}=http://keys.test/, https://b.test/", oauth_audiences="x", oauth_scopes="a b"
    )
    assert list(verifier.first_scopes) == ["a", "b"]
    document = verifier.documents()["/.well-known/oauth-protected-resource/mcp"]
    assert document["resource"] == f"{SERVER}/below/mcp"
    assert document["authorization_servers"] == [ISSUER, "https://b.test/"]
    assert document["resource_name"] == "Tools"
    audiences = verifier.resources.audiences
    assert all(map(audiences.include, ["x", SERVER, f"{SERVER}/below", f"{SERVER}/below/mcp"]))
    assert not audiences.include(f"{SERVER}/mcp")


def test_the_servers_password_is_shown_nowhere() -> None:
    settings = Settings(
        public_url=SERVER,  # type: ignore[arg-type]
        oauth_issuers=ISSUER,  # type: ignore[arg-type]
        oauth_introspection=f"{ISSUER}/ask",
        oauth_client_id="tools",
        oauth_client_secret="a password of this server",  # type: ignore[arg-type]
    )
    [verifier] = configured(settings, ["/mcp"])
    assert "a password" not in repr(settings) + repr(vars(verifier))


def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp_app.auth.oauth.from_settings", None)
    with pytest.raises(VerifierError, match="is not installed: pip install"):
        made(oauth_issuers=ISSUER)
