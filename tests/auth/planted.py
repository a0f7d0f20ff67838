"""Secrets that are planted, and looked for in whatever a server gave away: as they are, and as they are encoded."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator
from urllib.parse import quote


class Planted:
    """Each door gets a secret of its own, so that one that is found says by which it went in."""

    def __init__(self) -> None:
        self.doors: dict[str, str] = {}

    def secret(self, door: str) -> str:
        """A new secret for a door: letters and digits, so that it can go in everywhere."""
        assert door not in self.doors, door
        self.doors[door] = text = f"Pl4nt{secrets.token_hex(9)}x"  # no id of a run, which logs cut
        return text

    def known(self, door: str, text: str) -> str:
        """One that is not made here."""
        self.doors[door] = text
        return text

    def found(self, place: str, data: str | bytes, but: Iterable[str] = ()) -> Iterator[str]:
        """`door: place` for each secret in the data, but for those that may be there."""
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        for door, secret in self.doors.items():
            if door not in but and any(spelling in text for spelling in spellings(secret)):
                yield f"{door}: in {place}"


def spellings(secret: str) -> set[str]:
    """As it may be written somewhere else. Of base64, what does not depend on where it stands."""
    data = secret.encode()
    encoded = {base64.b64encode(b"x" * shift + data)[4:-4].decode() for shift in range(3)}
    return {secret, secret.lower(), secret.upper(), secret[::-1], data.hex(), quote(secret, safe=""), *encoded}
