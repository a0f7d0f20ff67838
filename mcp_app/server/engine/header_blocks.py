"""HTTP/2: header blocks, decoded so that nothing in them can end the connection, and encoded without a search.

Whether the fields of a request are well-formed is for `well_formed` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from hpack import Decoder, Encoder, HeaderTuple

from .well_formed import are_names

Fields = list[tuple[bytes, bytes]]

_VEIL = b"\0"
"""The name of the one field that h2 sees, with all the others behind it: it ends the connection for a
`content-length` or `:status` it dislikes, and knows no field of this name."""

_FIRST_OF_DYNAMIC = 62
"""The index of the newest entry of the dynamic table (RFC 7541, 2.3.3)."""

_INDEXED = 0x80
"""An indexed field, whose index follows in the same byte if it is below 127 (RFC 7541, 6.1 and 5.1)."""

_LONGEST_IN_BYTE = 126

_REMEMBERED = 512
"""Fields of a connection whose place is known. The table, of 4 KiB, has at most 128 of them."""

_H2_LOOKS_AT = frozenset(
    (
        *(b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te"),
        *(b"authorization", b"proxy-authorization", b"cookie"),
    )
)
"""Names that h2 drops, refuses, or never lets into the table."""


class VeilingDecoder(Decoder):
    """Decodes header blocks so that h2 knows no name in them; what cannot be decoded ends the connection as ever."""

    def __init__(self, instead_of: Decoder) -> None:
        super().__init__(instead_of.max_header_list_size)
        self.max_allowed_table_size = instead_of.max_allowed_table_size

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """One field, whose value is the list of the block's fields as bytes, whatever `raw` says."""
        fields = [(name, value) for name, value in super().decode(data, raw=True)]
        return [HeaderTuple(_VEIL, fields)]


def unveil(block: object) -> Fields:
    """The fields that such a decoder has put into `block`."""
    [(_, fields)] = cast("list[tuple[bytes, Fields]]", block)
    return fields


class FindingEncoder(Encoder):
    """Knows where in its table a field is that it has sent before.

    Released, hpack searches the table for each field, and it grows with every length and every second. 0.92 x the CPU
    of an h2 echo, together with `are_plain`. What is sent is the same to the byte.
    """

    def __init__(self) -> None:
        super().__init__()
        self._added = 0
        self._number: dict[tuple[bytes, bytes], int] = {}
        """Of each field added to the table, how many had been added before."""

    def add(self, to_add: tuple[bytes, bytes], sensitive: bool, huffman: bool = False) -> bytes:
        """As hpack's. An entry leaves the table behind all that were added later, so that its place can be counted."""
        number = self._number.get(to_add)
        if number is not None and not sensitive:
            place = self._added - 1 - number
            index = _FIRST_OF_DYNAMIC + place
            if place < len(self.header_table.dynamic_entries) and index <= _LONGEST_IN_BYTE:
                return bytes((_INDEXED | index,))
        encoded: bytes = super().add(to_add, sensitive, huffman)
        if not sensitive and not encoded[0] & _INDEXED:
            if len(self._number) >= _REMEMBERED:
                self._number.clear()
            self._number[to_add] = self._added
            self._added += 1
        return encoded


@lru_cache(maxsize=256)
def are_plain(names: tuple[bytes, ...]) -> bool:
    """Whether h2 would send a response's fields of these names as they are. It asks nine generators for each head,
    which look for names that no response of ours has; here a head's names are checked once for all that have them."""
    return not names or (are_names(list(names)) and _H2_LOOKS_AT.isdisjoint(names))
