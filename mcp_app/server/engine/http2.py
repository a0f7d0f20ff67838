"""HTTP/2 on one connection, in place of Hypercorn's H2Protocol: the receiving half.

Each difference from the released class is documented where it is. The sending half is `http2_sending`; what a
well-formed request is, `well_formed`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream
from hypercorn.events import Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.utils import filter_pseudo_headers
from priority.priority import DuplicateStreamError

from . import header_blocks
from .http2_sending import Http2Sender
from .streams import RequestStream, StreamBuffer
from .well_formed import are_valid_trailers, content_length, is_valid_request

MAX_EXCESS_STREAMS = 1024
"""Streams over the limit that are refused individually per read of the socket; beyond, the connection ends as upstream:
no client opens that many by mistake, and each costs some KiB until it is refused."""

_BODY_REMAINING = "mcp_app_body_remaining"
"""An attribute set on H2Stream: bytes of its declared content-length still to be received. (h2's own count is disabled,
as it sees no field.)"""

_MAX_PSEUDO_FIELDS = 5
"""A request has at most this many (RFC 9113, 8.3.1; RFC 8441, 4), and they precede all other fields."""


class Http2(Http2Sender):
    """One connection. `_handle_events` handles what was received."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        connection = self.connection
        # Before the first byte is sent or read: the SETTINGS frame is unchanged, and h2 validates no field.
        connection.local_settings = _lenient_settings(connection.local_settings)
        connection.decoder = header_blocks.OpaqueDecoder(connection.decoder)
        connection.config.validate_inbound_headers = False
        self.streams = _ActiveStreams()

    async def _handle_events(self, events: list[Event]) -> None:
        """Reject streams that no application may see, each on its own, and pass all other events to upstream.

        **Malformed requests.** As released, h2 treats a NUL in a field, an upper-case name or a `content-length` that
        is not a number as a connection error, and a path beyond ASCII raises through it: every other stream dies
        (https://github.com/pgjones/hypercorn/issues/277). The standard defines a stream error for them (RFC 9113,
        8.1.1): 400 before the application is called, RST_STREAM PROTOCOL_ERROR if it is already running. Errors of the
        compression, of frames or of their order remain what they must be: connection errors.

        **Requests reset in the same read** ("rapid reset", CVE-2023-44487). As released, a request is started although
        the same read of the socket brought its RST_STREAM: a task and a buffer each, and beyond 1,000 of them an
        unhandled error that ends the connection. Here such a request costs only its parsing.

        **Too many streams.** As released, a stream beyond `h2_max_concurrent_streams` ends the connection; a client
        that opens streams before it has read the server's SETTINGS cannot avoid that
        (https://github.com/pgjones/hypercorn/issues/335). REFUSED_STREAM tells the client that it may retry (RFC 9113,
        5.1.2 and 8.7).

        **Requests during shutdown.** As released, a request received while the server shuts down is reset with
        NO_ERROR, which does not say whether it was processed. REFUSED_STREAM says that it was not: even a POST may be
        retried, at whatever server then listens there (RFC 9113, 8.7).

        **DATA after the response**: see `_ActiveStreams`, in which upstream looks up the stream.

        **Idle after a reset.** As released, a connection is reported idle only when a response has ended; if the last
        of its streams was reset instead, as by a page that closes its EventSource, it is never closed.
        """
        was_active = bool(self.streams)
        requests = {event.stream_id for event in events if isinstance(event, RequestReceived)}

        if malformed := self._malformed_streams(events):
            events = self._drop_events(malformed, events)
            for stream_id in malformed:
                if stream_id in requests:
                    self._respond_400(stream_id)
                else:
                    self._reset_stream(stream_id, ErrorCodes.PROTOCOL_ERROR)
                    events.append(_local_reset(stream_id))
            await self._flush()

        if requests:
            if reset := requests.intersection([event.stream_id for event in events if isinstance(event, StreamReset)]):
                events = self._drop_events(reset, events)

            excess = self.connection.open_inbound_streams - self.config.h2_max_concurrent_streams
            if excess > 0:
                events = await self._refuse_streams(_request_stream_ids(events)[-excess:], events)

            if self.context.terminated.is_set():
                events = await self._refuse_streams(_request_stream_ids(events), events)
                self._announce_shutdown()

        await super()._handle_events(events)
        if was_active and not self.streams:
            await self.send(Updated(idle=True))  # idempotent

    def _malformed_streams(self, events: list[Event]) -> set[int]:
        """Ids of the streams whose request these events show to be malformed. Replaces the events' headers by the
        decoded fields."""
        kinds = (RequestReceived, TrailersReceived, DataReceived)
        return {event.stream_id for event in events if isinstance(event, kinds) and not self._is_well_formed(event)}

    def _is_well_formed(self, event: RequestReceived | TrailersReceived | DataReceived) -> bool:
        stream = self.connection.streams.get(event.stream_id)
        if isinstance(event, DataReceived):
            remaining = getattr(stream, _BODY_REMAINING, None)
            return remaining is None or _check_content_length(
                stream, remaining - len(event.data), event.stream_ended is not None
            )
        fields = header_blocks.unwrap_fields(event.headers)
        event.headers = _merge_cookies(fields)
        if isinstance(event, TrailersReceived):
            return are_valid_trailers(fields) and not getattr(stream, _BODY_REMAINING, None)
        if not is_valid_request(fields):
            return False
        remaining = content_length(fields)
        return remaining is None or _check_content_length(stream, remaining, event.stream_ended is not None)

    def _drop_events(self, stream_ids: Collection[int], events: list[Event]) -> list[Event]:
        """`events` without those of these streams, whose DATA is acknowledged.

        It counts against the connection's window all the same (RFC 9113, 6.9): otherwise a client whose requests were
        dropped with 64 KiB of bodies could send no more bodies on its connection.
        """
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id in stream_ids:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        return [event for event in events if getattr(event, "stream_id", None) not in stream_ids]

    async def _refuse_streams(self, stream_ids: list[int], events: list[Event]) -> list[Event]:
        """Reset them as not processed: their clients may retry. Returns the other events."""
        for stream_id in stream_ids:
            self._reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
        events = self._drop_events(stream_ids, events)
        await self._flush()
        return events

    def _announce_shutdown(self) -> None:
        try:
            self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
        except ProtocolError:
            pass  # the client has ended the connection in the meantime

    def _respond_400(self, stream_id: int) -> None:
        headers = [(b":status", b"400"), (b"content-length", b"0"), *self.config.response_headers("h2")]
        try:
            self.connection.send_headers(stream_id, headers, end_stream=True)
        except ProtocolError:
            return  # the client has reset it already
        if self._is_stream_open(stream_id):
            self._reset_stream(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: its body is not read

    async def _create_stream(self, request: RequestReceived) -> None:
        """As upstream, with our classes."""
        stream_id = request.stream_id
        pseudo = dict(request.headers[:_MAX_PSEUDO_FIELDS])
        method = pseudo[b":method"].decode("ascii").upper()
        stream = (WSStream if method == "CONNECT" else RequestStream)(
            *(self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server),
            *(self.stream_send, stream_id),
        )
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = StreamBuffer(self.context.event_class)
        try:
            self.priority.insert_stream(stream_id)
        except DuplicateStreamError:
            pass  # a pushed stream may reuse the id of a promise that was not accepted
        else:
            self.priority.block(stream_id)
        await stream.handle(
            Request(
                stream_id=stream_id,
                headers=filter_pseudo_headers(request.headers),
                http_version="2",
                method=method,
                raw_path=pseudo[b":path"],
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()


class _DiscardingStream:
    """The receiver of DATA for a stream that has already been answered."""

    async def handle(self, event: StreamEvent) -> None:
        """Discard the event."""


_DISCARDING_STREAM: Any = _DiscardingStream()


class _ActiveStreams(dict[int, HTTPStream | WSStream]):
    """The streams not yet answered; a lookup of any other returns one that discards its events.

    As released, a DATA frame received after the response raises KeyError, which ends the connection and every other
    stream on it (https://github.com/pgjones/hypercorn/issues/329, https://github.com/pgjones/hypercorn/pull/312,
    https://github.com/pgjones/hypercorn/pull/334). Here it is discarded, and acknowledged, as upstream does with every
    DATA frame: the connection's window must not shrink.
    """

    def __missing__(self, stream_id: int) -> HTTPStream | WSStream:
        stream: HTTPStream | WSStream = _DISCARDING_STREAM
        return stream


class _LenientSettings(Settings):
    """Settings as sent to the client, whose stream limit h2 enforces only when it is exceeded by MAX_EXCESS_STREAMS."""

    @property
    def max_concurrent_streams(self) -> int:
        """The limit that h2 enforces, by ending the connection."""
        announced: int = self.get(SettingCodes.MAX_CONCURRENT_STREAMS, 0)
        return announced + MAX_EXCESS_STREAMS

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[SettingCodes.MAX_CONCURRENT_STREAMS] = value


def _lenient_settings(settings: Settings) -> _LenientSettings:
    # Iterating gives plain integers; only settings that the standard defines are in it.
    values = {SettingCodes(code): value for code, value in settings.items()}
    return _LenientSettings(client=False, initial_values=values)


def _request_stream_ids(events: list[Event]) -> list[int]:
    return [event.stream_id for event in events if isinstance(event, RequestReceived)]


def _check_content_length(stream: H2Stream | None, remaining: int, ended: bool) -> bool:
    """Whether the body can still match, or matches, its content-length (RFC 9113, 8.1.1). Records the remaining
    bytes."""
    if stream is not None:
        setattr(stream, _BODY_REMAINING, remaining)
    return remaining == 0 if ended else remaining >= 0


def _local_reset(stream_id: int) -> StreamReset:
    return StreamReset(stream_id=stream_id, error_code=ErrorCodes.PROTOCOL_ERROR, remote_reset=False)


def _merge_cookies(fields: header_blocks.Fields) -> header_blocks.Fields:
    """A client may send several cookie fields, which are one in HTTP (RFC 9113, 8.2.3); h2 would merge them, but does
    not see their names."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return fields
    return [*(field for field in fields if field[0] != b"cookie"), (b"cookie", b"; ".join(cookies))]
