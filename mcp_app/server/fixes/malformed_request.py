"""HTTP/2: a malformed request ends alone, instead of ending the connection; the application never sees it.

Upstream, the h2 library answers a NUL in a field, an upper-case name or a `content-length` that is no number with an
error of the connection, and a path beyond ASCII raises through it: every other stream dies. The standard has an error
of the stream for them (RFC 9113, 8.1.1). Here fields pass h2 unread and are read afterwards, by `well_formed`: what is
malformed is answered with 400, or, when its application is at work already, reset with PROTOCOL_ERROR.

Errors of the compression, of frames or of their order stay what they must be: errors of the connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast
from weakref import WeakKeyDictionary

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from h2.stream import H2Stream
from hpack import Decoder, HeaderTuple
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.dropping import without_streams
from mcp_app.server.fixes.replacing import Fix, Replacement
from mcp_app.server.fixes.well_formed import are_trailers, content_length, is_request

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]

_VEIL = b"\0"
"""The name of the one field that h2 sees, with all the others behind it: it ends the connection for a
`content-length` or `:status` it dislikes, and knows no field of this name."""

_missing: WeakKeyDictionary[H2Stream, int] = WeakKeyDictionary()
"""How many bytes of its announced body each stream has yet to bring."""


class VeilingDecoder(Decoder):
    """Decodes header blocks so that h2 knows no name in them; what cannot be decoded ends the connection as ever."""

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """One field, whose value is the list of the block's fields as bytes, whatever `raw` says."""
        fields = [(name, value) for name, value in super().decode(data, raw=True)]
        return [HeaderTuple(_VEIL, fields)]


def veil(old: Callable[..., None]) -> Callable[..., None]:
    """Before the first byte is read: h2 decodes for us, and does not validate what it cannot read."""

    def __init__(self: H2Protocol, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces one
        old(self, *args, **kwargs)
        decoder = VeilingDecoder(self.connection.decoder.max_header_list_size)
        decoder.max_allowed_table_size = self.connection.decoder.max_allowed_table_size
        self.connection.decoder = decoder
        self.connection.config.validate_inbound_headers = False

    return __init__


def refuse_alone(old: HandleEvents) -> HandleEvents:
    """Refuse what is malformed, and pass on the events of all other streams, their fields unveiled."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        malformed: set[int] = set()
        for event in events:
            if isinstance(event, RequestReceived | TrailersReceived | DataReceived) and not _is_sound(self, event):
                malformed.add(event.stream_id)
        if malformed:
            new = {event.stream_id for event in events if isinstance(event, RequestReceived)}
            events = without_streams(self, events, malformed)
            for stream_id in malformed & new:
                _answer_400(self, stream_id)
            for stream_id in malformed - new:
                _reset(self, stream_id)
                events.append(
                    StreamReset(stream_id=stream_id, error_code=ErrorCodes.PROTOCOL_ERROR, remote_reset=False)
                )
            await self._flush()
        await old(self, events)

    return _handle_events


def _is_sound(protocol: H2Protocol, event: RequestReceived | TrailersReceived | DataReceived) -> bool:
    """Whether the request is well-formed as far as this event tells. Unveils its fields."""
    stream = protocol.connection.streams.get(event.stream_id)
    if isinstance(event, DataReceived):
        missing = None if stream is None else _missing.get(stream)
        return missing is None or _comes_out(stream, missing - len(event.data), event.stream_ended is not None)
    [(_, fields)] = cast("list[tuple[bytes, list[tuple[bytes, bytes]]]]", event.headers)
    event.headers = _with_one_cookie(fields)
    if isinstance(event, TrailersReceived):
        return are_trailers(fields) and (stream is None or not _missing.get(stream))
    if not is_request(fields):
        return False
    missing = content_length(fields)
    return missing is None or _comes_out(stream, missing, event.stream_ended is not None)


def _comes_out(stream: H2Stream | None, missing: int, ended: bool) -> bool:
    """Whether the body can still be, or is, as long as announced (RFC 9113, 8.1.1). Remembers what is missing."""
    if stream is not None:
        _missing[stream] = missing
    return missing == 0 if ended else missing >= 0


def _with_one_cookie(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a client may send as many fields is one for HTTP (RFC 9113, 8.2.3); h2 would do it if it knew the names."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return fields
    return [*(field for field in fields if field[0] != b"cookie"), (b"cookie", b"; ".join(cookies))]


def _answer_400(protocol: H2Protocol, stream_id: int) -> None:
    headers = [(b":status", b"400"), (b"content-length", b"0"), *protocol.config.response_headers("h2")]
    try:
        protocol.connection.send_headers(stream_id, headers, end_stream=True)
        stream = protocol.connection.streams.get(stream_id)
        if stream is not None and stream.open:
            protocol.connection.reset_stream(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: its body is not wanted
    except ProtocolError:
        pass  # the client has reset it already


def _reset(protocol: H2Protocol, stream_id: int) -> None:
    try:
        protocol.connection.reset_stream(stream_id, ErrorCodes.PROTOCOL_ERROR)
    except ProtocolError:
        pass  # the client has reset it already


FIX = Fix(
    name="malformed_request",
    defect="one malformed HTTP/2 request ends its connection with every other stream on it",
    upstream=("https://github.com/pgjones/hypercorn/issues/277",),
    replacements=(
        Replacement(H2Protocol, "__init__", "d577a96e2eb647a4c3484c2efdeca7ed9f1952d5eb27eeb091ecbc5be5a3bc41", veil),
        Replacement(
            H2Protocol,
            "_handle_events",
            "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5",
            refuse_alone,
        ),
    ),
)
