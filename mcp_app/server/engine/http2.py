"""HTTP/2 of one connection, in the place of Hypercorn's H2Protocol: what comes in.

Each difference from the released class is told where it is. What goes out is in `http2_sending`, what a well-formed
request is in `well_formed`.
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
from .http2_sending import Sending
from .streams import Stream, StreamBuffer
from .well_formed import are_trailers, content_length, is_request

TOLERATED = 1024
"""Streams over the limit that are refused one by one in one reading of the socket; beyond, the connection ends as
upstream: no client opens that many by mistake, and each costs some KiB until it is refused."""

_MISSING = "mcp_app_missing"
"""Of an H2Stream: how many bytes of its announced body it has yet to bring. (Its own count is off, as it reads no
field.)"""

_PSEUDO_HEADERS = 5
"""Of a request there are at most so many (RFC 9113, 8.3.1; RFC 8441, 4), and they are the first of its fields."""


class Http2(Sending):
    """One connection. `_handle_events` is what comes in."""

    def __init__(self, *of_connection: Any) -> None:
        super().__init__(*of_connection)
        connection = self.connection
        # Before the first byte is sent or read: what goes out in SETTINGS is unchanged, and h2 validates no field.
        connection.local_settings = _announced(connection.local_settings)
        connection.decoder = header_blocks.VeilingDecoder(connection.decoder)
        connection.config.validate_inbound_headers = False
        self.streams = _Streams()

    async def _handle_events(self, events: list[Event]) -> None:
        """Refuse what no application may see, each stream alone, and leave what is left to upstream.

        **Malformed.** Released, the h2 library answers a NUL in a field, an upper-case name or a `content-length` that
        is no number with an error of the connection, and a path beyond ASCII raises through it: every other stream dies
        (https://github.com/pgjones/hypercorn/issues/277). The standard has an error of the stream for them (RFC 9113,
        8.1.1): 400 before its application is asked, RST_STREAM PROTOCOL_ERROR when it is at work already. Errors of the
        compression, of frames or of their order stay what they must be: errors of the connection.

        **Reset with it** ("rapid reset", CVE-2023-44487). Released, a request is started although the same reading of
        the socket brought its RST_STREAM: a task and a buffer each, and beyond 1,000 of them an unhandled error that
        ends the connection. Here it costs what reading it costs.

        **Too many.** Released, a stream beyond `h2_max_concurrent_streams` ends the connection; a client that opens
        streams before it has read our SETTINGS can do nothing about it
        (https://github.com/pgjones/hypercorn/issues/335). REFUSED_STREAM tells that client that it may simply try again
        (RFC 9113, 5.1.2 and 8.7).

        **Late.** Released, a request that comes while the server stops is reset with NO_ERROR, which says nothing about
        whether it was worked on. REFUSED_STREAM says that it was not: even a POST may be sent again, to whoever answers
        there then (RFC 9113, 8.7).

        **DATA of a stream that is answered**: see `_Streams`, in which upstream looks for it.

        **Idle after a reset.** Released, a connection is said to be idle only when an answer has ended; where the last
        of its streams was reset, as a page does that closes its EventSource, it is never closed.
        """
        worked = bool(self.streams)
        requests = {event.stream_id for event in events if isinstance(event, RequestReceived)}

        if malformed := self._malformed(events):
            events = self._without(malformed, events)
            for stream_id in malformed:
                if stream_id in requests:
                    self._answer_400(stream_id)
                else:
                    self._reset(stream_id, ErrorCodes.PROTOCOL_ERROR)
                    events.append(_reset_by_us(stream_id))
            await self._flush()

        if requests:
            if over := requests.intersection([event.stream_id for event in events if isinstance(event, StreamReset)]):
                events = self._without(over, events)

            surplus = self.connection.open_inbound_streams - self.config.h2_max_concurrent_streams
            if surplus > 0:
                events = await self._refuse(_requests(events)[-surplus:], events)

            if self.context.terminated.is_set():
                events = await self._refuse(_requests(events), events)
                self._announce_the_end()

        await super()._handle_events(events)
        if worked and not self.streams:
            await self.send(Updated(idle=True))  # saying it twice does nothing

    def _malformed(self, events: list[Event]) -> set[int]:
        """Streams whose request is malformed as far as these events tell. Unveils their fields."""
        kinds = (RequestReceived, TrailersReceived, DataReceived)
        return {event.stream_id for event in events if isinstance(event, kinds) and not self._is_sound(event)}

    def _is_sound(self, event: RequestReceived | TrailersReceived | DataReceived) -> bool:
        stream = self.connection.streams.get(event.stream_id)
        if isinstance(event, DataReceived):
            missing = getattr(stream, _MISSING, None)
            return missing is None or _comes_out(stream, missing - len(event.data), event.stream_ended is not None)
        fields = header_blocks.unveil(event.headers)
        event.headers = _with_one_cookie(fields)
        if isinstance(event, TrailersReceived):
            return are_trailers(fields) and not getattr(stream, _MISSING, None)
        if not is_request(fields):
            return False
        missing = content_length(fields)
        return missing is None or _comes_out(stream, missing, event.stream_ended is not None)

    def _without(self, dropped: Collection[int], events: list[Event]) -> list[Event]:
        """`events` but for those of the `dropped` streams, whose DATA is acknowledged.

        It counts against the connection's window all the same (RFC 9113, 6.9): without this, a client whose requests
        were dropped with 64 KiB of bodies could send no body any more on its connection.
        """
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id in dropped:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        return [event for event in events if getattr(event, "stream_id", None) not in dropped]

    async def _refuse(self, stream_ids: list[int], events: list[Event]) -> list[Event]:
        """As never seen: their clients may send them again."""
        for stream_id in stream_ids:
            self._reset(stream_id, ErrorCodes.REFUSED_STREAM)
        events = self._without(stream_ids, events)
        await self._flush()
        return events

    def _announce_the_end(self) -> None:
        try:
            self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
        except ProtocolError:
            pass  # the client has ended the connection meanwhile

    def _answer_400(self, stream_id: int) -> None:
        headers = [(b":status", b"400"), (b"content-length", b"0"), *self.config.response_headers("h2")]
        try:
            self.connection.send_headers(stream_id, headers, end_stream=True)
        except ProtocolError:
            return  # the client has reset it already
        if self._is_open(stream_id):
            self._reset(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: its body is not wanted

    async def _create_stream(self, request: RequestReceived) -> None:
        """As upstream, with our classes."""
        stream_id = request.stream_id
        pseudo = dict(request.headers[:_PSEUDO_HEADERS])
        method = pseudo[b":method"].decode("ascii").upper()
        stream = (WSStream if method == "CONNECT" else Stream)(
            *(self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server),
            *(self.stream_send, stream_id),
        )
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = StreamBuffer(self.context.event_class)
        try:
            self.priority.insert_stream(stream_id)
        except DuplicateStreamError:
            pass  # a pushed one may have the number of a promise that was not taken
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


class _Answered:
    """Where DATA of a stream goes that is answered already."""

    async def handle(self, event: StreamEvent) -> None:
        """Nobody is left to hear it."""


_ANSWERED: Any = _Answered()


class _Streams(dict[int, HTTPStream | WSStream]):
    """Those that are not answered yet; what upstream gives to another goes nowhere.

    Released, a DATA frame that comes after its answer raises KeyError, which ends the connection and every other stream
    on it (https://github.com/pgjones/hypercorn/issues/329, https://github.com/pgjones/hypercorn/pull/312,
    https://github.com/pgjones/hypercorn/pull/334). Here it is dropped, and acknowledged, as upstream does with every
    DATA frame: the connection's window must not shrink.
    """

    def __missing__(self, stream_id: int) -> HTTPStream | WSStream:
        answered: HTTPStream | WSStream = _ANSWERED
        return answered


class _AnnouncedSettings(Settings):
    """Settings as announced to the client, whose stream limit h2 does not enforce until it is far exceeded."""

    @property
    def max_concurrent_streams(self) -> int:
        """What h2 enforces by ending the connection."""
        announced: int = self.get(SettingCodes.MAX_CONCURRENT_STREAMS, 0)
        return announced + TOLERATED

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[SettingCodes.MAX_CONCURRENT_STREAMS] = value


def _announced(settings: Settings) -> _AnnouncedSettings:
    # Iterating gives plain integers; the standard's own settings are the only ones there.
    values = {SettingCodes(code): value for code, value in settings.items()}
    return _AnnouncedSettings(client=False, initial_values=values)


def _requests(events: list[Event]) -> list[int]:
    return [event.stream_id for event in events if isinstance(event, RequestReceived)]


def _comes_out(stream: H2Stream | None, missing: int, ended: bool) -> bool:
    """Whether the body can still be, or is, as long as announced (RFC 9113, 8.1.1). Remembers what is missing."""
    if stream is not None:
        setattr(stream, _MISSING, missing)
    return missing == 0 if ended else missing >= 0


def _reset_by_us(stream_id: int) -> StreamReset:
    return StreamReset(stream_id=stream_id, error_code=ErrorCodes.PROTOCOL_ERROR, remote_reset=False)


def _with_one_cookie(fields: header_blocks.Fields) -> header_blocks.Fields:
    """What a client may send as many fields is one for HTTP (RFC 9113, 8.2.3); h2 would do it if it knew the names."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return fields
    return [*(field for field in fields if field[0] != b"cookie"), (b"cookie", b"; ".join(cookies))]
