"""Pagination of lists (MCP, Pagination): a cursor marks the end of a page and is opaque to the client.

A cursor identifies the last item of the page, so that items added or removed before it cause no repetitions or
omissions; it also contains that item's index, in case the item itself is removed. It is not secret, and the server
keeps no state for it: another node can continue the list. A page is bounded by bytes, which the caller counts: many
clients read one page only, so that a bound of items would hide the rest of an ordinary list from them.
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

_INDEX = 4  # bytes of the index: lists have far fewer items than 2**32
_DIGEST = 8  # bytes of the item's digest: a collision within one list is not to be expected
_CHECK = 4  # bytes of a checksum that detects cursors of other lists and other text; it does not prevent forgery
_LENGTH = _INDEX + _DIGEST + _CHECK


class InvalidCursor(RequestError):
    """The cursor was not issued for this list (MCP, Pagination, Error Handling)."""

    code = "invalid_cursor"
    status = 400
    hint = "Send back nextCursor as it came, to the same list, or ask without a cursor for the first page."


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """Consecutive items of a list, and the cursor of the next page; None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None


def paginate(
    items: Sequence[T], key: Callable[[T], str], size: Callable[[T], int], *, of: str, limit: int, cursor: str | None
) -> ListPage[T]:
    """The page after `cursor`, or the first page without one: as many items as fit into `limit` bytes, at least one.

    `key` returns the unique key of an item, `size` its bytes; `of` names the list: cursors of other lists are invalid.

    Raises InvalidCursor; ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"a page of {limit} bytes would never end the list")
    start = end = 0 if cursor is None else _after(items, key, *_parse(cursor, of))
    while end < len(items) and (limit := limit - size(items[end])) >= 0:
        end += 1
    page = tuple(items[start : max(end, start + 1)])  # an item that is larger than a page has one of its own
    end = start + len(page)
    return ListPage(page, _cursor(end - 1, key(page[-1]), of) if end < len(items) else None)


def _after(items: Sequence[T], key: Callable[[T], str], place: int, digest: bytes) -> int:
    """The index after the item with that digest; if it was removed, the index that it had."""
    if place < len(items) and _digest(key(items[place])) == digest:
        return place + 1
    return next((index + 1 for index, item in enumerate(items) if _digest(key(item)) == digest), min(place, len(items)))


def _cursor(place: int, key: str, of: str) -> str:
    body = place.to_bytes(_INDEX, "big") + _digest(key)
    return _text(body + _check(body, of))


def _parse(cursor: str, of: str) -> tuple[int, bytes]:
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    body, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(raw) != _LENGTH or check != _check(body, of) or _text(raw) != cursor:
        raise InvalidCursor("This cursor is not one of this list.")
    return int.from_bytes(body[:_INDEX], "big"), body[_INDEX:]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _check(body: bytes, of: str) -> bytes:
    return blake2b(body, digest_size=_CHECK, key=of.encode()[:64]).digest()
