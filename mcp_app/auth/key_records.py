"""What is kept of each key: its digest, whose it is, what it may do and until when; and how that is spelt as JSON.

Pure: where it is kept is in key_file.py. No secret is in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..protocol.scopes import check_scopes
from .keys import ID

VERSION = 1
"""That of the file's form. A file of a later one is not read as if it were this."""

MAX_NAME_CHARACTERS = 100
"""Characters of a key's name, which stands in lists and lines of the log."""


class BadRecords(ValueError):
    """The text is no file of keys; the message says where and why."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key. Times are Unix seconds. `digest` is empty for a key that was revoked: nothing opens with it any more."""

    id: str
    name: str
    digest: bytes
    scopes: frozenset[str]
    created: int
    expires: int | None = None
    used: int | None = None
    revoked: int | None = None

    def state(self, now: float) -> str:
        """ "valid", "expired" or "revoked"."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"

    def shown(self) -> dict[str, Any]:
        """What may be shown of it, as JSON has it."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created": written_time(self.created),
            "expires": written_time(self.expires),
            "last_used": written_time(self.used),
            "revoked": written_time(self.revoked),
        }


def check_name(name: str) -> str:
    """Raises ValueError."""
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"a key's name has 1 to {MAX_NAME_CHARACTERS} printable characters, none of them a space at its ends"
        )
    return name


def read_records(text: bytes) -> dict[str, KeyRecord]:
    """The keys of a file, by their ids. Raises BadRecords; nothing of a digest is in the message."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRecords(f"it is no JSON ({error})") from None
    match found:
        case {"version": int(version)} if version != VERSION:
            raise BadRecords(f"it has version {version}, and this server reads version {VERSION}")
        case {"version": int(), "keys": list(keys)}:
            records = [_read(each, number) for number, each in enumerate(keys, 1)]
        case _:
            raise BadRecords('it is not {"version": 1, "keys": […]}')
    by_id = {each.id: each for each in records}
    if len(by_id) < len(records):
        raise BadRecords("two of its keys have the same id")
    return by_id


def write_records(records: Iterable[KeyRecord]) -> bytes:
    """What `read_records` reads."""
    keys = [{**each.shown(), "sha256": each.digest.hex()} for each in records]
    return json.dumps({"version": VERSION, "keys": keys}, indent=1, ensure_ascii=False).encode() + b"\n"


def written_time(seconds: int | None) -> str | None:
    """Unix seconds as RFC 3339 has them."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> int:
    """Raises ValueError. A time without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp())


def _read(found: object, number: int) -> KeyRecord:
    if not isinstance(found, Mapping):
        raise BadRecords(f"its key {number} is no object")
    try:
        revoked = _time(found.get("revoked"))
        return KeyRecord(
            id=_id(found["id"]),
            name=check_name(found["name"]),
            digest=_digest(found["sha256"], revoked),
            scopes=check_scopes(found["scopes"]),
            created=read_time(found["created"]),
            expires=_time(found.get("expires")),
            used=_time(found.get("last_used")),
            revoked=revoked,
        )
    except KeyError as error:
        raise BadRecords(f"its key {number} has no {error}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise BadRecords(f"its key {number} is none: {error}") from None


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("its id is none")
    return text


def _digest(text: str, revoked: int | None) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != (32 if revoked is None else 0):
        raise ValueError("its sha256 is none")
    return digest


def _time(text: str | None) -> int | None:
    return None if text is None else read_time(text)
