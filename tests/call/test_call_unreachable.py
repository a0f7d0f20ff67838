"""Servers that are not there, or not trusted: one clear line, and exit status 3."""

import socket
from pathlib import Path

import httpx
import pytest
from command_line import ROOT, call
from live_server import LiveServer
from wire_app import PATH, Wire

from mcp_app.client.failures import unreachable


@pytest.mark.parametrize("path", ["/", PATH])
async def test_nobody_listens(path: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await call(f"http://127.0.0.1:{unused.getsockname()[1]}{path}", "scan", "a=1")

    assert outcome.status == 3
    assert "cannot be reached: Connection refused" in outcome.err
    assert "Is the server running" in outcome.err
    assert len(outcome.err.splitlines()) == 2


async def test_a_name_that_does_not_exist() -> None:
    outcome = await call("http://nowhere.invalid/sse", "scan")

    assert outcome.status == 3
    assert "http://nowhere.invalid/sse cannot be reached: " in outcome.err
    assert "All connection" not in outcome.err


async def test_a_certificate_that_is_not_trusted(server: LiveServer, wire: Wire, tmp_path: Path) -> None:
    outcome = await call(server.tls_url, "scan", cwd=tmp_path)

    assert outcome.status == 3
    assert "is not trusted" in outcome.err
    assert "--cacert FILE" in outcome.err
    assert wire.requests == []


async def test_the_development_authority_of_the_project_is_found(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text("{}")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_bytes(server.ca.read_bytes())

    trusted = await call(server.tls_url, "scan", cwd=tmp_path)
    (tmp_path / "certs" / "ca.pem").write_text("no certificate")
    broken = await call(server.tls_url, "scan", cwd=tmp_path)

    assert (trusted.status, trusted.err) == (0, "")
    assert broken.status == 2
    assert "certs/ca.pem: not a file of PEM certificates" in broken.err


@pytest.mark.parametrize(
    ("scheme", "advice"), [("https", "Is it an http:// port?"), ("http", "begin the URL with https://")]
)
async def test_the_other_scheme(server: LiveServer, scheme: str, advice: str) -> None:
    port = server.port if scheme == "https" else server.tls_port
    outcome = await call(f"{scheme}://127.0.0.1:{port}{PATH}", "scan")

    assert outcome.status == 3
    assert advice in outcome.err


@pytest.mark.parametrize("host", ["nowhere.invalid", "127.0.0.1"])
async def test_a_user_without_a_home_is_told_of_the_server_not_of_the_home(host: str, tmp_path: Path) -> None:
    """As in a container whose user id has no account: only loopback would look for the development authority."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib\ndef home(cls):\n    raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = classmethod(home)\n"
    )
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"https://{host}:{unused.getsockname()[1]}{PATH}"
        outcome = await call(url, "scan", PYTHONPATH=f"{ROOT}:{tmp_path}", XDG_STATE_HOME="")

    assert outcome.status == 3
    assert f"{url} cannot be reached: " in outcome.err


@pytest.mark.parametrize(("size", "advice"), [(30_000_000, "a body of 30000000 bytes"), (1000, "begin the URL with")])
def test_a_body_that_was_cut_off_is_named(size: int, advice: str) -> None:
    request = httpx.Request("POST", "http://localhost/sse", content=b"x" * size)
    failed = unreachable("http://localhost/sse", httpx.WriteError("reset", request=request))
    assert failed.status == 3
    assert advice in failed.advice


def test_an_error_that_belongs_to_no_request() -> None:
    assert "begin the URL with" in unreachable("http://localhost/sse", httpx.ReadError("reset")).advice
