"""Calls that schemathesis draws from /openapi.json: what is described is taken, what is not is refused, and each answer
is one of those described. The same ones each time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer, process

SEED = "1"
TOOLS = Path(__file__).with_name("described_tools.py")


def drawn(location: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `schemathesis run` says of the document at `location`, in a directory of its own: it writes there."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", location, "--seed", SEED, "--no-color", *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)


def document(server: LiveServer) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/openapi.json", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with process(str(TOOLS), cwd=tmp_path_factory.mktemp("described")) as server:
        yield server


@pytest.mark.time_bound(300)
def test_a_server_of_strict_tools_does_what_its_document_says(described: LiveServer, tmp_path: Path) -> None:
    done = drawn(f"http://127.0.0.1:{described.port}/openapi.json", tmp_path, "-n", "40")
    assert done.returncode == 0, done.stdout
    assert f"Tested: {len(document(described)['paths'])}" in done.stdout
    assert "No issues found" in done.stdout


@pytest.mark.time_bound(300)
def test_the_shipped_tools_answer_as_they_are_described(tmp_path: Path) -> None:
    """Not scan_domain, which would ask other servers. A mistake of the caller's ends their run with an error, and what
    a model wrote in the wrong type is repaired."""
    with process(cwd=tmp_path) as server:
        done = drawn(
            f"http://127.0.0.1:{server.port}/openapi.json",
            tmp_path,
            *("-n", "10", "--exclude-operation-id", "scan_domain"),
            *("--exclude-checks", "negative_data_rejection,positive_data_acceptance,not_a_server_error"),
        )
        assert done.returncode == 0, done.stdout
        assert f"Tested: {len(document(server)['paths']) - 1}" in done.stdout


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "string", "maxLength": 3}, "ST201 Schema-violating request accepted"),
        ({"type": ["string", "integer"]}, "ST202 Schema-valid request rejected"),
    ],
)
@pytest.mark.time_bound(300)
def test_a_document_that_says_something_else_is_found_out(
    described: LiveServer, tmp_path: Path, schema: dict[str, Any], found: str
) -> None:
    """Otherwise the tests above could not fail."""
    wrong = document(described)
    wrong["paths"] = {path: item for path, item in wrong["paths"].items() if path.endswith("/echo")}
    [item] = wrong["paths"].values()
    item["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["text"] = schema
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(wrong))
    done = drawn(str(file), tmp_path, "-u", f"http://127.0.0.1:{described.port}", "-n", "20")
    assert (done.returncode, found in done.stdout) == (1, True), done.stdout
