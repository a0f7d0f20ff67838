"""Callers known by their keys: what is valid, what of a change is seen, and what is written."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_app.auth import key_verifier, keys
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord
from mcp_app.auth.key_verifier import KeyVerifier
from mcp_app.auth.verifier import VerifierError
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Unauthorized
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.web.messages import Request


class Stage:
    """A file of keys, a server's view of it, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.file = KeyFile(folder / "keys.json")
        self.file.change(lambda records: None, create=True)
        self.verifier = KeyVerifier(self.file, Hierarchy.read("write>read"), lambda: self.now)

    def add(self, name: str = "ci", **record: Any) -> keys.Key:
        key = keys.make(secrets.randbits)
        made = KeyRecord(key.id, name, key.digest, record.pop("scopes", frozenset()), created=0, **record)
        self.file.change(lambda records: records.update({key.id: made}))
        return key

    def change(self, key: keys.Key, **changes: Any) -> None:
        self.file.change(lambda records: records.update({key.id: replace(records[key.id], **changes)}))

    def verify(self, text: str, scheme: str = "Bearer") -> Access | None:
        return self.verifier.verify(Request("GET", "/", headers={"authorization": f"{scheme} {text}"}))

    def refused(self, text: str) -> str:
        with pytest.raises(Unauthorized) as caught:
            self.verify(text)
        return caught.value.message

    async def used(self) -> list[int | None]:
        await self.verifier._write_used()
        return [each.used for each in self.file.read().values()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_key_is_its_own_principal_whatever_it_may_do(stage: Stage) -> None:
    key = stage.add(scopes=frozenset({"write"}), expires=2000)
    await stage.verifier.look()
    access = stage.verify(key.text)
    assert access == Access(f"key:{key.id}", frozenset({"read", "write"}), expires=2000, credential=key.id)
    assert access is not None
    assert not access.steps_up
    assert stage.verify(key.text) is access
    assert stage.verify(key.text, "bearer") is access


async def test_what_is_no_key_is_another_verifiers(stage: Stage) -> None:
    key = stage.add()
    await stage.verifier.look()
    assert stage.verify("eyJhbGciOiJub25lIn0.e30.") is None
    assert stage.verify(key.text, "Basic") is None
    assert stage.verifier.verify(Request("GET", "/", headers={"x-key": key.text})) is None
    assert stage.verifier.verify(Request("GET", f"/?key={key.text}")) is None
    assert "mistyped" in stage.refused(f"{key.text}, Bearer {key.text}")  # which nobody asks it


async def test_a_key_that_opens_nothing_is_refused_in_one_sentence(stage: Stage) -> None:
    unknown = keys.make(secrets.randbits)
    expired, revoked, other = stage.add(expires=1000), stage.add(), stage.add()
    stage.change(revoked, revoked=1, digest=b"")
    await stage.verifier.look()
    forged = keys.make(lambda bits: 5)
    known = stage.file.read()[other.id]
    stage.file.change(lambda records: records.update({forged.id: replace(known, id=forged.id)}))
    await stage.verifier.look()
    said = {stage.refused(each.text) for each in (unknown, expired, revoked, forged)}
    assert len(said) == 1
    assert stage.verify(other.text)
    assert "mistyped" in stage.refused(other.text[:-1])
    assert "mistyped" in stage.refused("mcpk_")
    assert "mistyped" in stage.refused(other.text + "a" * 10_000)


async def test_the_comparison_takes_as_long_whatever_is_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    known, unknown = stage.add(), keys.make(secrets.randbits)
    await stage.verifier.look()
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def comparing(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(key_verifier.hmac, "compare_digest", comparing)
    stage.verify(known.text)
    stage.refused(unknown.text)
    assert compared == [(32, 32), (32, 32)]


async def test_a_key_expires_by_the_clock(stage: Stage) -> None:
    key = stage.add(expires=1010)
    await stage.verifier.look()
    assert stage.verify(key.text)
    stage.now = 1010.0
    stage.refused(key.text)


async def test_a_change_of_the_file_is_seen(stage: Stage) -> None:
    key = stage.add()
    await stage.verifier.look()
    access = stage.verify(key.text)
    assert access is not None
    assert not stage.verifier.revoked(access)
    stage.change(key, scopes=frozenset({"read"}))
    await stage.verifier.look()
    changed = stage.verify(key.text)
    assert changed is not None
    assert changed.scopes == {"read"}
    assert changed.principal == access.principal
    stage.change(key, revoked=1, digest=b"")
    await stage.verifier.look()
    stage.refused(key.text)
    assert stage.verifier.revoked(access)
    assert not stage.verifier.revoked(Access("issuer subject", credential="a token's"))


async def test_a_key_that_was_taken_out_of_the_file_is_revoked(stage: Stage) -> None:
    key = stage.add()
    await stage.verifier.look()
    access = stage.verify(key.text)
    assert access is not None
    stage.file.change(lambda records: records.clear())
    await stage.verifier.look()
    assert stage.verifier.revoked(access)


@pytest.mark.parametrize("spoil", ["half", "mode", "gone", "garbage"])
async def test_a_file_that_cannot_be_used_leaves_the_keys_as_they_were(
    stage: Stage, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = stage.add()
    await stage.verifier.look()
    text = stage.file.path.read_bytes()
    if spoil == "half":
        stage.file.path.write_bytes(text[:-30])
    elif spoil == "mode":
        stage.file.path.chmod(0o644)
    elif spoil == "gone":
        stage.file.path.unlink()
    else:
        stage.file.path.write_bytes(b"\0\xff" * 100)
    for _ in range(3):
        await stage.verifier.look()
    assert stage.verify(key.text)
    [line] = [each for each in caplog.records if each.name == "mcp_app.auth"]
    assert line.levelno == logging.ERROR
    assert "keys.json" in line.getMessage()
    assert "read before go on being valid" in line.getMessage()
    assert key.digest.hex() not in line.getMessage()
    stage.file.path.write_bytes(text)
    stage.file.path.chmod(0o600)
    stage.change(key, revoked=1, digest=b"")
    await stage.verifier.look()
    stage.refused(key.text)
    assert "can be read again" in caplog.records[-1].getMessage()


async def test_when_a_key_was_last_used_is_written(stage: Stage) -> None:
    key, _ = stage.add(), stage.add("other")
    await stage.verifier.look()
    stage.verify(key.text)
    stage.now = 1005.9
    stage.verify(key.text)
    assert await stage.used() == [1005, None]
    before = stage.file.signature()
    assert await stage.used() == [1005, None]
    assert stage.file.signature() == before  # nothing was used: nothing is written


async def test_a_later_use_that_another_server_has_written_stays(stage: Stage) -> None:
    key = stage.add()
    await stage.verifier.look()
    stage.verify(key.text)
    stage.change(key, used=5000)
    assert await stage.used() == [5000]


async def test_what_was_revoked_meanwhile_stays_so(stage: Stage) -> None:
    key = stage.add()
    await stage.verifier.look()
    stage.verify(key.text)
    stage.change(key, revoked=1, digest=b"")
    assert await stage.used() == [1000]
    await stage.verifier.look()
    stage.refused(key.text)


async def test_a_file_that_cannot_be_written_costs_the_last_uses_alone(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stage.add()
    await stage.verifier.look()

    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("mcp_app.auth.key_file._replace", read_only)
    for _ in range(3):
        assert stage.verify(key.text)
        await stage.verifier._write_used()
    [line] = [each.getMessage() for each in caplog.records]
    assert "Read-only file system; when keys were last used is not kept" in line


async def test_a_server_does_not_start_without_its_keys(tmp_path: Path) -> None:
    with pytest.raises(VerifierError, match="no such file of keys"):
        await KeyVerifier(KeyFile(tmp_path / "none"), Hierarchy.read("")).start()


async def test_it_looks_by_itself_and_writes_at_its_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_verifier, "LOOK_SECONDS", 0.0)
    await stage.verifier.start()
    key = stage.add()
    for _ in range(10_000):  # each is a turn of the loop, and the read another thread's
        await asyncio.sleep(0.001)
        try:
            assert stage.verify(key.text)
            break
        except Unauthorized:
            continue
    else:
        pytest.fail("the key was never seen")
    await stage.verifier.close()
    assert [each.used for each in stage.file.read().values()] == [1000]
    await stage.verifier.close()


async def test_uses_are_written_once_a_minute_at_most(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[float] = []

    async def writing() -> None:
        writes.append(stage.now)
        stage.verifier._used, stage.verifier._written = {}, stage.now

    key = stage.add()
    await stage.verifier.look()
    monkeypatch.setattr(stage.verifier, "_write_used", writing)
    for _ in range(100):
        stage.verify(key.text)
        await stage.verifier.tick()
        stage.now += 2
    assert writes == [1000, 1060, 1120, 1180]
