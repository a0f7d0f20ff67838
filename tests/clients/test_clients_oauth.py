"""Real clients sign in at a real authorization server, over TLS, and call: all they are told is the server's URL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import build
import pytest
from live_server import certificates, process
from oauth.provider import authorization_server, free_port

HERE = Path(__file__).parent
DRIVERS = HERE / "drivers"
NPM = build.BUILT / "npm"
BOUND = 60.0
"""Seconds for one client: a few, on an idle machine."""


def _python(environment: str, driver: str) -> Callable[[str], list[str]]:
    return lambda url: [str(build.python_of(environment)), str(DRIVERS / driver), url]


def _typescript(url: str) -> list[str]:
    return [str(build.node()), str(NPM / "drivers" / "oauth_client2.mjs"), url]


def _mcp_remote(url: str) -> list[str]:
    bridge = [str(build.node()), str(NPM / "node_modules" / ".bin" / "mcp-remote"), url]
    return [str(build.python_of("mcp1")), str(DRIVERS / "oauth_mcp1.py"), *bridge]


def _inspector(url: str) -> list[str]:
    program = NPM / "node_modules" / ".bin" / "mcp-inspector"
    callback = f"http://127.0.0.1:{free_port()}/oauth/callback"
    options = ["--cli", "--callback-url", callback, "--method", "tools/call", "--tool-name", "whoami"]
    return [str(build.node()), str(program), *options, "--server-url", url, "--transport", "http"]


CLIENTS: dict[str, tuple[set[str], Callable[[str], list[str]]]] = {
    "Python SDK": ({"mcp2"}, _python("mcp2", "oauth_mcp2.py")),
    "TypeScript SDK": ({"npm"}, _typescript),
    "fastmcp": ({"fastmcp"}, _python("fastmcp", "oauth_fastmcp.py")),
    "mcp-remote": ({"npm", "mcp1"}, _mcp_remote),
    "Inspector": ({"npm"}, _inspector),
}
"""The environments that each needs, and its command."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with authorization_server() as running:
        yield running


@pytest.fixture(scope="module")
def url(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's, which takes the issuer's tokens."""
    directory = tmp_path_factory.mktemp("served")
    shutil.copy(HERE / "oauth_served.py", directory / "tools.py")
    port = free_port()
    made = certificates()
    (directory / "hypercorn.toml").write_text(
        f'bind = ["127.0.0.1:{port}"]\ninsecure_bind = ["127.0.0.1:0"]\n'
        f'certfile = "{made.certificate}"\nkeyfile = "{made.key}"\n'
    )
    env = {
        "SSL_CERT_FILE": str(made.authority),
        "MCP_APP_PUBLIC_URL": f"https://localhost:{port}",
        "MCP_APP_OAUTH_ISSUERS": issuer,
        "MCP_APP_OAUTH_SCOPES": "read",
    }
    command = [sys.executable, "-m", "mcp_app", "serve", "tools.py", "--config", "hypercorn.toml"]
    shutil.copytree(DRIVERS, NPM / "drivers", dirs_exist_ok=True)  # beside node_modules, where JavaScript looks
    with process(cwd=directory, env=env, command=command):
        yield env["MCP_APP_PUBLIC_URL"]


@pytest.mark.time_bound(90)
@pytest.mark.parametrize("path", ["/mcp", "/api/v1/mcp/sse"])
@pytest.mark.parametrize("name", CLIENTS)
def test_it_signs_in_and_calls(name: str, path: str, url: str, issuer: str, tmp_path: Path) -> None:
    environments, command = CLIENTS[name]
    if missing := [each for each in environments if not build.is_built(each)]:
        pytest.skip(f"{', '.join(missing)} is not built: make clients")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "visit.py"}" "$1"\n')
    browser.chmod(0o700)
    authority = str(certificates().authority)
    env = {
        **os.environ,
        "HOME": str(tmp_path),  # where some keep tokens
        "BROWSER": str(browser),
        "MCP_AUTO_OPEN_ENABLED": "true",  # the Inspector opens one only at a terminal otherwise
        "SSL_CERT_FILE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
    }
    with (tmp_path / "said").open("w+") as errors:
        ended = subprocess.run(
            command(url + path), env=env, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=BOUND, check=False
        )
        errors.seek(0)
        assert f"{issuer} alice read" in ended.stdout, ended.stdout + errors.read()
