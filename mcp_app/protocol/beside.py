"""What a result has beside its data: a short text, content blocks, members of `_meta`; and how both fit into an event.

Pure: the values to keep are handed to the caller. Nothing is stored here, and no dialect is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .event import Event, Shape, decode, encode
from .linked import LINK_BYTES, Keep, Split, largest, replaced, split, too_large

NAME = "beside"
"""The member of a last event's metadata that has it."""


class Beside(NamedTuple):
    """Without a text the data's JSON stands for it. `content` are MCP content blocks."""

    text: str | None = None
    content: Sequence[dict[str, Any]] = ()
    meta: Mapping[str, Any] = {}

    def encoded(self) -> bytes:
        """As one JSON object with the members that there are; empty if there are none. Raises NotJson."""
        found = {"text": self.text, "content": self.content or None, "meta": self.meta or None}
        present = {name: value for name, value in found.items() if value is not None}
        return encode(present) if present else b""

    @classmethod
    def decoded(cls, data: bytes) -> Beside:
        """Of what `encoded` made."""
        return cls(**decode(data)) if data else NOTHING

    @classmethod
    def of(cls, event: Event) -> Beside:
        """Of a run's last event."""
        return cls(**decode(event.metadata)[NAME]) if event.beside else NOTHING


NOTHING = Beside()


class Divided(NamedTuple):
    """A result of which some is to be kept: of its data, of the content beside it, or of both; None for what stays."""

    data: Split | None
    beside: Beside
    content: Split | None

    def linked(self, keep: Keep, data: bytes, shape: Shape) -> tuple[bytes, Shape, bytes]:
        """The result as an event has it: its data, which was `data`, and what is beside it, with links in both."""
        if self.data is not None:
            data, shape = self.data.linked(keep), self.data.shape
        beside = self.beside if self.content is None else self.beside._replace(content=self.content.replaced(keep))
        return data, shape, beside.encoded()


def divide(data: bytes, shape: Shape, beside: bytes, room: int) -> Divided | None:
    """What to keep so that data and what is beside it have at most `room` bytes; None if they have no more.

    The largest blocks of the content first: data that stays can be validated by whoever gets it. Then the data, as
    `split` does; blocks as well only where there would be no room for a link to it. Text and meta always stay.

    Raises EventTooLarge if these leave no room for that, or if a value is larger than what is kept.
    """
    excess = len(data) + len(beside) - room
    if excess <= 0:
        return None
    found = Beside.decoded(beside)
    if chosen := largest(found.content, excess):
        return Divided(None, found, replaced(found.content, chosen))
    content, left = None, room - len(beside)
    if left < LINK_BYTES:
        chosen = largest(found.content, LINK_BYTES - left)
        if not chosen:
            raise too_large("What a result has beside its data", len(beside), room - LINK_BYTES)
        content, left = replaced(found.content, chosen), LINK_BYTES
    return Divided(split(data, shape, left), found, content)
