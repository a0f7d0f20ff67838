"""HTTP/2 on one connection, in place of Hypercorn's H2Protocol: the receiving half.

Each difference from the released class is documented where it is. The sending half is `http2_sending`; what a
well-formed request is, `well_formed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from h2.stream import H2Stream, StreamState
from hypercorn.events import Event as ConnectionEvent
from hypercorn.events import RawData, Updated
from hypercorn.protocol.events import InformationalResponse, Request
from hypercorn.protocol.http_stream import ASGIHTTPState
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.utils import filter_pseudo_headers
from priority.priority import DuplicateStreamError

from . import header_blocks
from .context import ServerContext
from .http2_frames import MALFORMED_COST, SMALL_DATA, TOO_LARGE_COST, Broken, InboundFrames
from .http2_sending import Http2Sender
from .http2_streams import ActiveStreams, DiscardingStream, lenient_settings
from .streams import RequestStream, StreamBuffer
from .well_formed import announced_body, are_valid_trailers, is_valid_request

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
        connection.local_settings = lenient_settings(connection.local_settings)
        connection.decoder = header_blocks.OpaqueDecoder(connection.decoder)
        connection.config.validate_inbound_headers = False
        connection.incoming_buffer = self._frames = InboundFrames(self.frame_budget)
        self._expecting: set[int] = set()
        """The streams whose client may wait for 100 before it sends its body."""
        self.streams = ActiveStreams(DiscardingStream(self._discard_body))

    async def handle(self, event: ConnectionEvent) -> None:
        """As upstream, with a turn of the loop after every few frames, and a count of the connections ended for an
        error. As released, an application that responds after the end of its connection waits for ever."""
        if not isinstance(event, RawData):
            await super().handle(event)
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()
            return
        frames, data = self._frames, event.data
        while True:
            frames.begin_turn()
            try:
                events = self.connection.receive_data(data)
            except ProtocolError as error:
                frames.discard()
                self._count_malformed(f"GOAWAY {ErrorCodes(error.error_code).name}")
                await self._flush()
                await self.send(Broken())
                return
            await self._handle_events(events)
            if not frames.is_interrupted:
                return
            await asyncio.sleep(0)
            data = b""

    async def _handle_events(self, events: list[Event]) -> None:
        """Reject streams that no application may see, each on its own, and pass all other events to upstream.

        **Malformed requests.** As released, h2 treats a NUL in a field, an upper-case name or a `content-length` that
        is not a number as a connection error, and a path beyond ASCII raises through it: every other stream dies
        (https://github.com/pgjones/hypercorn/issues/277). The standard defines a stream error for them (RFC 9113,
        8.1.1): 400 before the application is called, and in any case RST_STREAM PROTOCOL_ERROR. Errors of the
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

        **DATA after the response**: see `ActiveStreams`, in which upstream looks up the stream.

        **Idle after a reset.** As released, a connection is reported idle only when a response has ended; if the last
        of its streams was reset instead, as by a page that closes its EventSource, it is never closed.
        """
        was_active = bool(self.streams)
        requests = {event.stream_id for event in events if isinstance(event, RequestReceived)}

        if malformed := self._malformed_streams(events):
            events = self._drop_events(malformed, events)
            for stream_id, status in malformed.items():
                self.frame_budget.spend(TOO_LARGE_COST if status == 431 else MALFORMED_COST)
                if stream_id in requests:
                    self._count_malformed(str(status))
                    self._refuse_malformed(stream_id, status)
                else:
                    self._count_malformed("RST_STREAM PROTOCOL_ERROR")
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

    def _malformed_streams(self, events: list[Event]) -> dict[int, int]:
        """The streams whose request these events show to be malformed, and the status for each. Replaces the events'
        headers by the decoded fields."""
        kinds = (RequestReceived, TrailersReceived, DataReceived)
        return {
            event.stream_id: 431 if getattr(event, "headers", None) is header_blocks.TOO_LARGE else 400
            for event in events
            if isinstance(event, kinds) and not self._is_well_formed(event)
        }

    def _is_well_formed(self, event: RequestReceived | TrailersReceived | DataReceived) -> bool:
        stream = self.connection.streams.get(event.stream_id)
        if isinstance(event, DataReceived):
            if (
                len(event.data) >= SMALL_DATA
                or event.stream_ended is not None
                or isinstance(self.streams.get(event.stream_id), WSStream)
            ):
                self.frame_budget.earn_data()
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
        remaining, expects_continue = announced_body(fields)
        if expects_continue and event.stream_ended is None:
            self._expecting.add(event.stream_id)
        return remaining is None or _check_content_length(stream, remaining, event.stream_ended is not None)

    def _drop_events(self, stream_ids: Collection[int], events: list[Event]) -> list[Event]:
        """`events` without those of these streams, whose DATA is acknowledged.

        It counts against the connection's window all the same (RFC 9113, 6.9): otherwise a client whose requests were
        dropped with 64 KiB of bodies could send no more bodies on its connection.
        """
        self._expecting.difference_update(stream_ids)
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

    def _refuse_malformed(self, stream_id: int, status: int) -> None:
        """Respond, then reset: the response is for people, the stream error what the standard asks for (RFC 9113,
        8.1.1). A head that is only too large is no error of the protocol."""
        headers = [(b":status", b"%d" % status), (b"content-length", b"0"), *self.config.response_headers("h2")]
        try:
            self.connection.send_headers(stream_id, headers, end_stream=True)
        except ProtocolError:
            return  # the client has reset it already
        if status == 400:
            self._reset_ended_stream(stream_id, ErrorCodes.PROTOCOL_ERROR)
        elif self._is_stream_open(stream_id):
            self._reset_stream(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: its body is not read

    def _count_malformed(self, outcome: str) -> None:
        cast(ServerContext, self.context).malformed.add(self.client, "2", outcome)

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
        if stream_id in self._expecting:
            self._expecting.remove(stream_id)
            self.task_group.spawn(self._send_continue, stream)
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def _send_continue(self, stream: RequestStream | WSStream) -> None:
        """Send 100 to a client that waits for it before it sends its body (RFC 9110, 10.1.1); as released, none is
        sent. By now the application has had its first turn: if the head was enough for it, it has responded."""
        sent = self.connection.streams.get(stream.stream_id)
        if (
            isinstance(stream, RequestStream)
            and stream.state is ASGIHTTPState.REQUEST
            and sent
            and sent.state_machine.state is StreamState.OPEN
        ):
            await self.stream_send(InformationalResponse(stream.stream_id, [], 100))


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
