"""HTTP/2: a response's names are checked once for all responses that have them, and its fields are found at once.

Upstream, each head passes nine generators of h2 that look for names no response of ours has, and hpack searches its
table for each field, which grows with every length and every second. Here a head with other names, trailers and all
that is not a final response go upstream's way. What is sent is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from h2.exceptions import ProtocolError
from hpack import Encoder
from hypercorn.protocol.events import Event, Response
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.replacing import Fix, Replacement
from mcp_app.server.fixes.well_formed import are_names

StreamSend = Callable[[H2Protocol, Event], Awaitable[None]]

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


class FindingEncoder(Encoder):
    """Knows where in its table a field is that it has sent before, so that it need not be searched for."""

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


def find(old: Callable[..., None]) -> Callable[..., None]:
    """Each connection gets such an encoder."""

    def __init__(self: H2Protocol, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces one
        old(self, *args, **kwargs)
        self.connection.encoder = FindingEncoder()

    return __init__


def send_checked(old: StreamSend) -> StreamSend:
    """Nothing is left to be checked by h2 where the names are known to be good: values it strips, as Hypercorn has."""

    async def stream_send(self: H2Protocol, event: Event) -> None:
        if not isinstance(event, Response) or not _are_plain(tuple([name for name, _ in event.headers])):
            await old(self, event)
            return
        fields = [(b":status", b"%d" % event.status_code), *event.headers, *self.config.response_headers("h2")]
        config = self.connection.config
        config.normalize_outbound_headers = config.validate_outbound_headers = False
        try:
            self.connection.send_headers(event.stream_id, fields)
        except ProtocolError:
            return  # as upstream: the connection or the stream has ended meanwhile
        finally:
            config.normalize_outbound_headers = config.validate_outbound_headers = True
        await self._flush()

    return stream_send


@lru_cache(maxsize=256)
def _are_plain(names: tuple[bytes, ...]) -> bool:
    return not names or (are_names(list(names)) and _H2_LOOKS_AT.isdisjoint(names))


SPEEDUP = Fix(
    name="response_head",
    defect="each field of an HTTP/2 response passes nine generators, and is searched for in a growing table",
    gain="0.92 x the CPU of an h2 echo",
    replacements=(
        Replacement(H2Protocol, "__init__", "d577a96e2eb647a4c3484c2efdeca7ed9f1952d5eb27eeb091ecbc5be5a3bc41", find),
        Replacement(
            H2Protocol, "stream_send", "d8fc824e2770ba5c7af707fc01e14eb2eaef377064221ec84009fa8d949fe90b", send_checked
        ),
    ),
)
