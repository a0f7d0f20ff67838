"""`mcp-app keys`: what it prints, what it keeps, and what it says of what is wrong."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_app.auth import keys
from mcp_app.auth.key_file import KeyFile
from mcp_app.cli import main

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCP_APP_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.delenv("MCP_APP_SCOPES", raising=False)
    return tmp_path / "keys.json"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """run(*words) -> what it printed; the exit status must be that."""

    def one(*words: str, status: int = 0) -> str:
        assert main(["keys", *words]) == status
        said = capsys.readouterr()
        assert bool(said.err) == (status == 1 and not said.out)
        return said.out or said.err

    return one


def test_the_key_alone_is_the_last_line(run: Run, file: Path) -> None:
    *told, text = run("add", "ci", "--scopes", "read, write", "--expires", "2100-01-31").splitlines()
    key = keys.parse(text)
    assert key is not None
    assert told == [
        f"Key {key.id} of ci: valid, expires 2100-01-31T00:00:00Z, scopes: read write.",
        f"Kept in {file}, where the key itself is not: it is shown this once.",
    ]
    [record] = KeyFile(file).read().values()
    assert (record.name, record.scopes, record.digest) == ("ci", {"read", "write"}, keys.digest(text))
    assert text[17:] not in file.read_text()


def test_a_program_gets_one_json_value(run: Run, file: Path) -> None:
    added = json.loads(run("add", "ci", "--json"))
    key = keys.parse(added.pop("key"))
    assert key is not None
    assert added == {
        "id": key.id,
        "name": "ci",
        "scopes": [],
        "created": added["created"],
        "expires": None,
        "last_used": None,
        "revoked": None,
        "file": str(file),
    }
    [listed] = json.loads(run("list", "--json"))
    assert (listed["id"], listed["state"]) == (key.id, "valid")
    assert json.loads(run("revoke", "ci", "--json"))["revoked"] is not None
    [listed] = json.loads(run("list", "--json"))
    assert listed["state"] == "revoked"


def test_a_list_has_nothing_secret_in_it(run: Run) -> None:
    key = run("add", "ci").splitlines()[-1]
    for said in (run("list"), run("list", "--json"), run("explain", "ci"), run("explain", "ci", "--json")):
        assert key[17:] not in said
        assert keys.digest(key).hex() not in said
    assert "ci" in run("list")


def test_there_may_be_no_keys(run: Run, file: Path) -> None:
    KeyFile(file).change(lambda records: None, create=True)
    assert run("list") == "There are no keys.\n"
    assert json.loads(run("list", "--json")) == []
    assert "there is none at all" in run("revoke", "ci", status=1)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", ""), "a key's name has"),
        (("add", "a\x1b[31m"), "a key's name has"),
        (("add", "a", "--scopes", 'a"b'), "is no scope"),
        (("add", "a", "--expires", "soon"), "soon is no expiry: 90d, 12h"),
        (("add", "a", "--expires", "0d"), "is no expiry"),
        (("add", "a", "--expires", "999999y"), "is no expiry"),
        (("add", "a", "--expires", "2001-01-01"), "is over"),
        (("add", "ci"), "there is a valid key of the name ci"),
        (("revoke", "nobody"), "there is no key nobody; there are: ci"),
        (("explain", "nobody"), "there is no key nobody; there are: ci"),
        (("list", "--file", "/nowhere/keys.json"), "no such file of keys"),
        (("add", "a", "--file", "/nowhere/keys.json"), "cannot be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run: Run, file: Path, words: tuple[str, ...], why: str) -> None:
    run("add", "ci")
    before = file.read_bytes()
    said = run(*words, status=1)
    assert re.search(why, said)
    assert said.startswith("mcp-app: ")
    assert said.count("\n") == 1
    assert file.read_bytes() == before


def test_a_file_has_to_be_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_APP_KEYS")
    assert "Give --file FILE, or set MCP_APP_KEYS" in run("list", status=1)


def test_one_of_a_name_that_was_revoked_may_come_again(run: Run) -> None:
    first = json.loads(run("add", "ci", "--json"))["id"]
    run("revoke", "ci")
    second = json.loads(run("add", "ci", "--json"))["id"]
    assert json.loads(run("explain", "ci", "--json"))["id"] == second != first
    assert first in run("explain", first, status=1)
    run("revoke", "ci")
    said = run("revoke", "ci", status=1)
    assert "2 keys have the name ci: give an id" in said
    assert first in said
    again = json.loads(run("revoke", first, "--json"))
    assert again["revoked"] is not None  # which changes nothing


def test_why_a_key_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    def explain(text: str, status: int) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n"))
        return run("explain", "-", status=status)

    key = run("add", "ci", "--scopes", "write").splitlines()[-1]
    assert f"ctx.principal key:{key[5:17]}" in explain(key, 0)
    assert "mistyped" in explain(key[:-1], 1)
    assert "has none of that id" in explain(keys.make(lambda bits: 5).text, 1)
    forged = keys.make(lambda bits: 5)
    file.write_text(file.read_text().replace(key[5:17], forged.id))
    assert "and another secret than" in explain(forged.text, 1)
    file.write_text(file.read_text().replace(forged.id, key[5:17]))
    monkeypatch.setenv("MCP_APP_SCOPES", "write>read")
    assert "Its scopes imply: read" in explain(key, 0)
    run("revoke", "ci")
    assert ": revoked, revoked " in explain(key, 1)
    assert "is seen by everybody on this machine" in run("explain", key, status=1)
