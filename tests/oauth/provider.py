"""A real authorization server, npm's oidc-provider over TLS, and what a person does there in a browser. Not a test.

`make clients` installs it. Its one user, alice, agrees to everything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import secrets
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import pytest
from live_server import certificates

INSTALLED = Path(__file__).parents[2] / ".venv-clients" / "npm"
SCRIPT = Path(__file__).with_name("provider.mjs")
CALLBACK = "http://127.0.0.1:9/callback"
CLIENT = ("tools", "a secret of the resource server")
"""This server's own name and password there, for introspection."""
SECONDS = 30.0


def node() -> Path:
    """The Node.js that `make clients` installs."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), "x64")
    return INSTALLED / "node_modules" / f"node-{platform.system().lower()}-{machine}" / "bin" / "node"


def free_port() -> int:
    """One that a server can be given which says at its start what its own address is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def authorization_server(**options: Any) -> Iterator[str]:
    """Its issuer, while the block runs; `options` are those of provider.mjs. Skips the test where it is missing."""
    if not ((INSTALLED / "node_modules" / "oidc-provider").is_dir() and node().is_file()):
        pytest.skip("npm's oidc-provider is not installed: make clients")
    made = certificates()
    given = {"modules": str(INSTALLED), "key": str(made.key), "certificate": str(made.certificate)} | options
    child = subprocess.Popen(
        [str(node()), str(SCRIPT), json.dumps(given)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        issuer = child.stdout.readline().strip()
        assert issuer, child.stderr.read() if child.stderr is not None else ""
        yield issuer
    finally:
        child.kill()
        child.communicate(timeout=SECONDS)


class Person:
    """Registers a client, signs in, and gets its tokens."""

    def __init__(self, issuer: str, name: str = "alice") -> None:
        trust = ssl.create_default_context(cafile=str(certificates().authority))
        self._web = httpx.Client(verify=trust, timeout=SECONDS)
        self._name = name
        self._metadata = self._web.get(f"{issuer}/.well-known/oauth-authorization-server").raise_for_status().json()
        registration = {
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "application_type": "native",
        }
        registered = self._web.post(self._metadata["registration_endpoint"], json=registration).raise_for_status()
        self._client = registered.json()["client_id"]

    def token(self, resource: str, scope: str) -> str:
        """An access token, by a code and PKCE."""
        verifier = secrets.token_urlsafe(48)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": self._client,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "code_challenge": digest,
            "code_challenge_method": "S256",
            "resource": resource,
            "scope": scope,
            "login_hint": self._name,
        }
        url = self._metadata["authorization_endpoint"] + "?" + urlencode(asked)
        while not url.startswith(CALLBACK):
            url = urljoin(url, self._web.get(url).headers["location"])
        [code] = parse_qs(urlsplit(url).query)["code"]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self._client,
            "code_verifier": verifier,
            "redirect_uri": CALLBACK,
            "resource": resource,
        }
        answer = self._web.post(self._metadata["token_endpoint"], data=form).raise_for_status().json()
        return str(answer["access_token"])

    def revoke(self, token: str) -> None:
        form = {"token": token, "client_id": self._client}
        self._web.post(self._metadata["revocation_endpoint"], data=form).raise_for_status()

    def close(self) -> None:
        self._web.close()
