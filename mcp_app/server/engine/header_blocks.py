"""HTTP/2 header blocks: decoded so that no field in them can end the connection, and encoded without a table search.

Validation of a request's fields is in `well_formed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from hpack import Decoder, Encoder, HeaderTuple, OversizedHeaderListError

from .well_formed import are_valid_names

Fields = list[tuple[bytes, bytes]]

TOO_LARGE: Fields = []
"""In the place of the fields of a block over the limit, which must be decoded all the same: it changes the table."""

_MAX_EXCESS = 4
"""A block of more than this times the limit ends the connection: it would cost too much to decode."""

_SMALL_FIELDS, _SMALL_BYTES = 14, 4096
"""A block of at most so many fields and encoded bytes is not over 64 KiB: a field that is sent as an index into the
table has no more than the table's 4 KiB."""

MAX_FIELDS = 512
"""Fields of one head, on either version of HTTP; more are as a head over the limit. A browser sends some twenty and a
field for each of its cookies, a proxy ten; each takes 2 to 4 us of the loop, and 64 KiB hold 16,000 of them."""

TABLE_BYTES = 4096
"""Of the table of sent fields (RFC 7541, 4.2: no more need be used than the peer allows): its default."""

_OPAQUE_NAME = b"\0"
"""The name of the only field that h2 sees, whose value holds all the others: h2 ends the connection for a
`content-length` or `:status` it rejects, and does not know a field of this name."""

_FIRST_DYNAMIC_INDEX = 62
"""The index of the newest entry of the dynamic table (RFC 7541, 2.3.3)."""

_INDEXED = 0x80
"""An indexed field, whose index is in the same byte if it is below 127 (RFC 7541, 6.1 and 5.1)."""

_MAX_ONE_BYTE_INDEX = 126

_MAX_TRACKED = 512
"""Fields per connection whose table index is known. The table, of 4 KiB, has at most 128 entries."""

_MAX_KEPT = 4096
"""Encoded bytes of credentials that a connection remembers, which decoded are 6.4 KiB at most; its table of received
fields has as much."""

_H2_SPECIAL_NAMES = frozenset(
    (
        *(b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te"),
        *(b"authorization", b"proxy-authorization", b"cookie"),
    )
)
"""Names that h2 drops, rejects, or never adds to the table."""


class OpaqueDecoder(Decoder):
    """Decodes header blocks so that h2 sees no field name; a block that cannot be decoded still ends the connection.

    As released, so does one that is longer than the limit, with every stream on it. Here it is TOO_LARGE, which is of
    its stream alone (RFC 9113, 10.5.1), up to a multiple of the limit.
    """

    def __init__(self, replaced: Decoder) -> None:
        super().__init__(replaced.max_header_list_size * _MAX_EXCESS)
        self.max_allowed_table_size = replaced.max_allowed_table_size
        self._max_block_bytes = replaced.max_header_list_size
        self._credentials: tuple[bytes, HeaderTuple] | None = None

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """One field, whose value is the list of the block's fields as bytes, whatever `raw` is."""
        if len(data) > self.max_header_list_size:
            # Decoded it is over the limit: a byte is encoded in 30 bits at most (RFC 7541, B). One field of 1 MB in
            # Huffman's code would hold the loop for 0.2 s before hpack compares its length.
            raise OversizedHeaderListError("the header block is too long")
        fields = [(name, value) for name, value in super().decode(data, raw=True)]
        if (len(fields) > _SMALL_FIELDS or len(data) > _SMALL_BYTES) and self._is_too_large(fields):
            fields = TOO_LARGE
        return [HeaderTuple(_OPAQUE_NAME, fields)]

    def _decode_literal_no_index(self, data: bytes | memoryview) -> tuple[HeaderTuple, int]:
        """Credentials, which their client keeps out of the table, come in full with each request. Huffman's code of an
        access token of 800 characters is 4% of an echo: the same bytes as last time are not read again."""
        if self._credentials is not None:
            encoded, last = self._credentials
            if data[: len(encoded)] == encoded:
                return last, len(encoded)
        field, length = super()._decode_literal_no_index(data)
        if field[0] == b"authorization" and length <= _MAX_KEPT and _has_fixed_name(data):
            self._credentials = bytes(data[:length]), field
        return field, length

    def _is_too_large(self, fields: Fields) -> bool:
        """RFC 9113, 6.5.2: with 32 bytes for each field."""
        size = sum([len(name) + len(value) + 32 for name, value in fields])
        return size > self._max_block_bytes or len(fields) > MAX_FIELDS


def _has_fixed_name(data: bytes | memoryview) -> bool:
    """Whether the name of this literal (RFC 7541, 6.2.2 and 6.2.3) does not depend on the dynamic table: then the same
    bytes are always the same field."""
    index = data[0] & 0x0F
    return index < 0x0F or 0x0F + data[1] < _FIRST_DYNAMIC_INDEX


def unwrap_fields(block: object) -> Fields:
    """The fields that an OpaqueDecoder has put into `block`."""
    [(_, fields)] = cast("list[tuple[bytes, Fields]]", block)
    return fields


class IndexingEncoder(Encoder):
    """Remembers the table index of each field it has sent.

    As released, hpack searches the table for each field, and the table grows with each new length and each new second
    (Date). 0.92 x the CPU of an h2 echo, together with `are_sent_unchanged`. The encoded bytes are the same.

    And it never uses more than TABLE_BYTES. As released, a client that allows 4 GiB gets a table that grows, and is
    searched, with each response: after some thousand one of them costs milliseconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._insertions = 0
        self._insertion_numbers: dict[tuple[bytes, bytes], int] = {}
        """For each field added to the table, the number of fields added before it."""

    @property
    def header_table_size(self) -> int:
        """What the table may hold, in bytes of RFC 7541, 4.1."""
        size: int = self.header_table.maxsize
        return size

    @header_table_size.setter
    def header_table_size(self, allowed: int) -> None:
        """The peer allows so much. As released, each of a thousand changes is repeated in the next block, and the last
        is not told if it is set twice."""
        self.header_table.maxsize = size = min(allowed, TABLE_BYTES)
        changes = self.table_size_changes
        if changes or self.header_table.resized:
            smallest = min([*changes, size])
            self.table_size_changes = [smallest] if smallest == size else [smallest, size]
            self.header_table.resized = True

    def add(self, to_add: tuple[bytes, bytes], sensitive: bool, huffman: bool = False) -> bytes:
        """As hpack's. Entries leave the table in insertion order, so an entry's index can be computed from its
        number."""
        number = self._insertion_numbers.get(to_add)
        if number is not None and not sensitive:
            age = self._insertions - 1 - number
            index = _FIRST_DYNAMIC_INDEX + age
            if age < len(self.header_table.dynamic_entries) and index <= _MAX_ONE_BYTE_INDEX:
                return bytes((_INDEXED | index,))
        encoded: bytes = super().add(to_add, sensitive, huffman)
        if not sensitive and not encoded[0] & _INDEXED:
            if len(self._insertion_numbers) >= _MAX_TRACKED:
                self._insertion_numbers.clear()
            self._insertion_numbers[to_add] = self._insertions
            self._insertions += 1
        return encoded


@lru_cache(maxsize=256)
def are_sent_unchanged(names: tuple[bytes, ...]) -> bool:
    """Whether h2 would send response fields of these names unchanged. h2 passes each head through nine generators,
    which look for names that no response of ours has; here a head's names are checked once for all heads that have the
    same."""
    return not names or (are_valid_names(list(names)) and _H2_SPECIAL_NAMES.isdisjoint(names))
