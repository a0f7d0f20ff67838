"""What a file of keys has in it, and what is no such file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.auth.key_records import BadRecords, KeyRecord, check_name, read_records, read_time, write_records

TIMES = st.integers(min_value=0, max_value=4_000_000_000)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=100)

RECORDS = st.builds(
    lambda revoked, digest, **rest: KeyRecord(digest=b"" if revoked is not None else digest, revoked=revoked, **rest),
    revoked=st.none() | TIMES,
    digest=st.binary(min_size=32, max_size=32),
    id=st.from_regex(r"[0-9A-Za-z]{12}", fullmatch=True),
    name=NAMES.filter(str.isprintable),
    scopes=st.frozensets(st.sampled_from(["read", "write", "a:b"])),
    created=TIMES,
    expires=st.none() | TIMES,
    used=st.none() | TIMES,
)


@given(st.lists(RECORDS, unique_by=lambda record: record.id))
def test_what_is_written_is_read(records: list[KeyRecord]) -> None:
    assert list(read_records(write_records(records)).values()) == records


GOOD: dict[str, Any] = {
    "id": "A" * 12,
    "name": "ci",
    "scopes": ["read"],
    "created": "2026-12-01T00:00:00Z",
    "sha256": "0" * 64,
}


def written(*keys: Any, **file: Any) -> bytes:
    return json.dumps({"version": 1, "keys": list(keys), **file}).encode()


def test_times_that_never_were_may_be_left_out() -> None:
    [record] = read_records(written(GOOD)).values()
    assert (record.expires, record.used, record.revoked) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "it is not"),
        (b'{"version": 1}', "it is not"),
        (b'{"version": 2, "keys": []}', "version 2"),
        (written("x"), "key 1 is no object"),
        (written(GOOD, GOOD), "the same id"),
        (written(GOOD | {"id": "short"}), "its id"),
        (written(GOOD | {"id": 1}), "key 1 is none"),
        (written(GOOD, {**GOOD, "id": "B" * 12, "sha256": "00"}), "key 2 is none: its sha256"),
        (written(GOOD | {"sha256": "zz" * 32}), "key 1 is none"),
        (written(GOOD | {"revoked": "2026-12-01"}), "its sha256"),
        (written(GOOD | {"scopes": "read"}), "not the text"),
        (written(GOOD | {"scopes": ["a b"]}), "is no scope"),
        (written(GOOD | {"scopes": None}), "key 1 is none"),
        (written(GOOD | {"created": "yesterday"}), "key 1 is none"),
        (written(GOOD | {"expires": 1}), "key 1 is none"),
        (written(GOOD | {"name": "a\x1b[31m"}), "printable"),
        (written({name: value for name, value in GOOD.items() if name != "created"}), "no 'created'"),
    ],
)
def test_what_is_no_file_of_keys_says_where(text: bytes, why: str) -> None:
    with pytest.raises(BadRecords, match=why):
        read_records(text)


@pytest.mark.parametrize("name", ["", " a", "a ", "a\n", "a\x1b[31m", "x" * 101, "\u202eabc"])
def test_a_name_can_be_shown(name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        check_name(name)


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    record = KeyRecord("A" * 12, "ci", bytes(32), frozenset(), created=0, expires=10)
    assert [record.state(now) for now in (0, 9.9, 10)] == ["valid", "valid", "expired"]
    assert KeyRecord("A" * 12, "ci", b"", frozenset(), created=0, expires=10, revoked=5).state(20) == "revoked"


def test_a_time_without_a_zone_is_utc() -> None:
    assert read_time("1970-01-01T00:01:00") == read_time("1970-01-01T01:01:00+01:00") == 60
