"""A long list in pages (MCP, Pagination): a cursor is where a page ended, opaque to who sends it back.

A cursor names the last item that was seen, so that items that come and go before it neither repeat nor skip others; it
also has that item's place, for when the item itself is gone. It is no secret and nothing is kept for it: another node
continues where this one ended. How many items a page has is the caller's choice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from ..errors import RequestError

T = TypeVar("T")

_PLACE = 4  # bytes of the place: lists are of far fewer items than 2**32
_NAME = 8  # bytes of the item's digest: two of a list's items with the same one are not to be expected
_CHECK = 4  # bytes that tell a cursor of this list from any other text; it keeps nobody from making one up
_LENGTH = _PLACE + _NAME + _CHECK


class InvalidCursor(RequestError):
    """The cursor is none that this list gave out (MCP, Pagination, Error Handling)."""

    code = "invalid_cursor"
    status = 400
    hint = "Send back nextCursor as it came, to the same list, or ask without a cursor for the first page."


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """Some of a list's items in their order, and the cursor of the next page, None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None


def paginate(
    items: Sequence[T], key: Callable[[T], str], *, of: str, size: int, cursor: str | None = None
) -> ListPage[T]:
    """The page of `size` items after `cursor`, from the start without one.

    `key` tells the items of the list apart; `of` names the list, whose cursors are no other list's.

    Raises InvalidCursor; ValueError for a size below 1.
    """
    if size < 1:
        raise ValueError(f"a page of {size} items would never end the list")
    start = 0 if cursor is None else _after(items, key, *_parse(cursor, of))
    page = tuple(items[start : start + size])
    end = start + len(page)
    return ListPage(page, _cursor(end - 1, key(page[-1]), of) if end < len(items) else None)


def _after(items: Sequence[T], key: Callable[[T], str], place: int, name: bytes) -> int:
    """Where to go on: after the item of that name; if it is gone, with what has moved to its place."""
    if place < len(items) and _digest(key(items[place])) == name:
        return place + 1
    return next((index + 1 for index, item in enumerate(items) if _digest(key(item)) == name), min(place, len(items)))


def _cursor(place: int, key: str, of: str) -> str:
    body = place.to_bytes(_PLACE, "big") + _digest(key)
    return _text(body + _check(body, of))


def _parse(cursor: str, of: str) -> tuple[int, bytes]:
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    body, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(raw) != _LENGTH or check != _check(body, of) or _text(raw) != cursor:
        raise InvalidCursor("This cursor is not one of this list.")
    return int.from_bytes(body[:_PLACE], "big"), body[_PLACE:]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_NAME).digest()


def _check(body: bytes, of: str) -> bytes:
    return blake2b(body, digest_size=_CHECK, key=of.encode()[:64]).digest()
