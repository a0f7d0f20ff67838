"""docs/deploy/Dockerfile: a linter finds no fault, its steps build, and what it runs may do no more than it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_page import ROOT
from dockerfile import Container, context, parse, running
from live_server import START_SECONDS, eventually

from mcp_app.server import configuration, forced_exit

DEPLOY = ROOT / "docs" / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
CONFIG, _ = configuration.load(DEPLOY / "hypercorn.toml", tls=False)
BUILD_SECONDS = 200

CALL = """
import urllib.request as r
body = b'{"tool": "hello", "params": {"name": "Ada"}}'
request = r.Request("http://127.0.0.1:8000/api/v1/mcp/sse", body, {"Content-Type": "application/json"})
print(r.urlopen(request, timeout=20).read().decode())
"""

WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('x')"


def test_a_linter_finds_no_fault() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert hadolint is not None, "hadolint comes with the development tools: make .venv/.ready-dev"

    def lint(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [hadolint, "-"], input=text, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )

    clean = lint(TEXT)
    assert (clean.returncode, clean.stdout) == (0, "")
    assert lint(TEXT.replace("python:3.13-slim", "python")).returncode != 0
    assert lint(TEXT.replace("HEALTHCHECK", "HEALTHCHEK")).returncode != 0


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image's process, with the extra that several nodes need."""
    folder = tmp_path_factory.mktemp("image")
    image = parse(TEXT, {"EXTRAS": "redis"})
    sent = context(ROOT, (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8"), folder / "context")
    with running(image, sent, folder, {"MCP_APP_ALLOW_ANONYMOUS": "1"}) as one:
        yield one


@pytest.mark.needs("containers")
@pytest.mark.time_bound(BUILD_SECONDS + 60)
def test_it_builds_and_its_health_check_passes(container: Container) -> None:
    def healthy() -> bool:
        assert container.process.poll() is None, container.log.read_text()
        return b"http://" in container.log.read_bytes() and container.run(*container.image.health).returncode == 0

    eventually(healthy, seconds=BUILD_SECONDS)
    answer = container.run("python", "-c", CALL)
    assert '"Hello, Ada!"' in answer.stdout, answer.stderr


@pytest.mark.needs("containers")
def test_it_is_not_root_and_can_write_nothing_but_tmp(container: Container) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{container.process.pid}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == status["Gid"].split() == ["10001"] * 4
    assert status["NoNewPrivs"] == "1"
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd")} == {0}
    for path in ("/srv/mcp-app/x", "/opt/mcp-app/x", "/usr/local/x", "/etc/x"):
        assert "Read-only file system" in container.run("python", "-c", WRITE, path, root=True).stderr, path
    assert container.run("python", "-c", WRITE, "/tmp/x").returncode == 0
    assert container.run("python", "-c", WRITE, "/srv/mcp-app/x").returncode != 0


@pytest.mark.needs("containers")
def test_its_package_is_what_was_copied_and_no_checkout(container: Container) -> None:
    where = container.run("python", "-c", "import mcp_app, redis; print(mcp_app.__file__)").stdout
    assert where.startswith("/opt/mcp-app/lib/python")
    assert container.run("ls", "/src").returncode != 0, "the first stage's files are in the image"


@pytest.mark.needs("containers")
def test_it_stops_within_the_time_that_it_says_and_is_then_not_healthy(container: Container) -> None:
    """The last of this file: the next would find it stopped."""
    container.process.terminate()
    eventually(lambda: "503" in container.run("python", "-c", READY).stdout)
    assert container.run(*container.image.health).returncode == 0, "what it has begun is still to be ended"
    container.process.wait(forced_exit.shutdown_seconds(CONFIG))
    assert container.process.returncode == 0, container.log.read_text()


READY = """
import http.client
client = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
client.request("GET", "/readyz")
print(client.getresponse().status)
"""


def test_what_it_says_of_itself_is_so() -> None:
    image = parse(TEXT, {})
    assert image.user == "10001:10001"
    assert CONFIG.bind == [f"0.0.0.0:{image.port}"]
    assert f":{image.port}/healthz" in image.health[-1]
    assert f"within {forced_exit.shutdown_seconds(CONFIG):g} s" in TEXT


def test_a_step_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown here: VOLUME"):
        parse("FROM python:3.13-slim\nVOLUME /data\n", {})
