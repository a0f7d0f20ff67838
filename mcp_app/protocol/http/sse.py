"""Event streams as bytes: the encoder of the server and the decoder of the client.

WHATWG HTML 9.2 "Server-sent events". Pure: bytes in, bytes or values out. Nothing here may know the meaning of an
event (the dialect's), when a heartbeat is due (`stream.py`'s), or which transport carries the bytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A comment line WITHOUT the blank line that would end an event. A comment followed by a blank line makes lenient
# clients (httpx-sse, and so many agents) dispatch an empty event once an id has been seen; one line alone never does,
# and for a browser both are nothing.
HEARTBEAT = b":\n"

# First bytes of every stream: they make the server send status and headers at once, and show proxies a body. No blank
# line here either: @microsoft/fetch-event-source dispatches an event at each one, and a page that parses it as JSON
# throws, upon which that client makes its request again, each second.
OPEN = b": open\n"

# The same for a GET with Last-Event-ID: the blank line terminates an event that the client may have kept unfinished
# from the connection that was cut. The clients that come back by POST keep none, and the one above is among them.
OPEN_AGAIN = OPEN + b"\n"

# The largest `retry:` accepted, in milliseconds: the maximum of a browser's timer (2**31 - 1, 24.8 days). Without it a
# peer could make us convert a number of any length, and then wait that long.
MAX_RETRY = 2**31 - 1

# Maximum size of one undispatched event in a Decoder, in bytes. Our own server rejects larger events, so a larger one
# means a broken or hostile stream; without the bound it would be buffered until it ends.
MAX_EVENT_BYTES = 16 * 1024 * 1024

# 9.2.5: end-of-line = ( cr lf / cr / lf ). U+2028 and the like are ordinary characters here.
_END_OF_LINE = re.compile(rb"\r\n|\r|\n")


def comment(text: str) -> bytes:
    """`text` as comment lines, which clients ignore: for people who read the raw stream.

    Like HEARTBEAT it does not end an event, so it may be written between two frames, never inside one. Each line of
    `text` becomes a comment line, so no text can start a field.
    """
    lines = _END_OF_LINE.split(text.encode())
    return b"".join(b": %b\n" % line if line else b":\n" for line in lines)


def frame(data: bytes, *, id: str | None = None, event: str | None = None, retry: int | None = None) -> bytes:  # noqa: A002 - the standard's name
    """The bytes of one complete event (9.2.6), which a client dispatches as soon as it has them.

    `data` is UTF-8, normally one line of JSON. In multi-line data each line end arrives as one LF. `retry` is the
    reconnection time in milliseconds. There are no frames without data, because some clients dispatch an empty event
    for a lone `retry:`.

    Raises ValueError for CR, LF or NUL in `id` or `event` (CR and LF would let a value start a new field; clients
    ignore an id with NUL), and for a `retry` that is negative or above MAX_RETRY.
    """
    head = b""
    if id is not None:
        head = b"id: %b\n" % _field("id", id)
    if event is not None:
        head += b"event: %b\n" % _field("event", event)
    if retry is not None:
        if not 0 <= retry <= MAX_RETRY:
            raise ValueError(f"retry is in milliseconds, from 0 to {MAX_RETRY}; got {retry}")
        head += b"retry: %d\n" % retry
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_END_OF_LINE.split(data))
    return b"%bdata: %b\n\n" % (head, data)


def _field(name: str, value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"{name} may not contain CR, LF or NUL; got {value!r}")
    return value.encode()


class ServerSentEvent(NamedTuple):
    """An event as a client dispatches it. `id` is the last event id, which an event without an id inherits (9.2.6).

    `retry` is the reconnection time, in milliseconds, from this event's own block.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class OversizedEventError(ValueError):
    """An event, or one line, exceeded the decoder's limit. The decoder cannot be used after it.

    It is a limit of the reader and never sent over the wire, so it is not one of the errors in `errors.py`. `events`
    are the events that the same chunk completed before it; `limit` is in bytes.
    """

    def __init__(self, limit: int, events: list[ServerSentEvent]) -> None:
        super().__init__(f"an event of this stream is larger than the bound of {limit} bytes")
        self.limit = limit
        self.events = events


class Decoder:
    """9.2.6 "Interpreting an event stream", as an incremental decoder.

    Lines may end in LF, CR or CRLF, and chunks may be cut anywhere, also within CRLF, a character or the byte order
    mark. Invalid UTF-8 becomes U+FFFD, as the standard's UTF-8 decode does. An event without its blank line is dropped
    at the end of the stream: there is nothing to flush. Use a new decoder for each connection.

    Lines are split before they are decoded: no byte of a longer UTF-8 sequence is CR or LF, and a sequence which a line
    end cuts short is replaced in either order, so the text is the same.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """`max_event_bytes` bounds the buffers for one unfinished event: its data, and an incomplete line."""
        self.last_event_id = ""
        """The value of Last-Event-ID for a reconnection."""
        self.reconnection_time: int | None = None
        """Milliseconds to wait before reconnecting; None until the stream has set it."""
        self.comments = 0
        """Comment lines seen so far: heartbeats, mostly."""
        self.heartbeats = 0
        """Those of them that are empty, as HEARTBEAT is."""
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()  # the incomplete line
        self._first_line = True
        self._after_cr = False  # the last chunk ended in CR; an LF that follows belongs to it
        self._data = bytearray()
        self._event = ""
        self._id = ""
        self._retry: int | None = None
        self._failed = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Decode `chunk` and return the events that it completes, in order.

        Raises OversizedEventError when an event exceeds the limit, and at every call after that.
        """
        if self._failed:
            raise OversizedEventError(self._max_event_bytes, [])
        if not chunk:
            return []
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
        self._after_cr = chunk[-1:] == b"\r"
        events: list[ServerSentEvent] = []
        # bytes.splitlines splits at CR, LF and CRLF only, unlike str.splitlines.
        for piece in chunk.splitlines(keepends=True):
            line = piece.rstrip(b"\r\n")
            if len(self._line) + len(line) + len(self._data) > self._max_event_bytes:
                self._fail(events)
            if len(line) == len(piece):
                self._line += line
            elif self._line:
                line = bytes(self._line) + line
                self._line.clear()
                self._process_line(line, events)
            else:
                self._process_line(line, events)
        return events

    def _fail(self, events: list[ServerSentEvent]) -> None:
        self._failed = True
        self._line.clear()
        self._data.clear()
        raise OversizedEventError(self._max_event_bytes, events)

    def _process_line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """Process one complete line, without its line end."""
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(b"\xef\xbb\xbf")  # UTF-8 decode drops one byte order mark
        if not line:
            self._dispatch(events)
        elif line.startswith(b":"):
            self.comments += 1
            self.heartbeats += line == b":"
        else:
            # "If value starts with a U+0020 SPACE character, remove it"; a line without a colon is a name alone.
            name, _, value = line.partition(b":")
            self._process_field(name, value.removeprefix(b" "))

    def _process_field(self, name: bytes, value: bytes) -> None:
        """9.2.6, "process the field". Names are case-sensitive; unknown names are ignored."""
        if name == b"data":
            self._data += value
            self._data += b"\n"
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode(errors="replace")
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():  # bytes.isdigit: ASCII digits only, at least one
            digits = value.lstrip(b"0")
            self._retry = min(int(digits[:11] or b"0"), MAX_RETRY)  # eleven digits already exceed MAX_RETRY
            self.reconnection_time = self._retry

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """9.2.6, "dispatch the event". The id is set even if there is no data and thus no event."""
        self.last_event_id = self._id
        if self._data:
            data = self._data[:-1].decode(errors="replace")
            events.append(ServerSentEvent(data, self._event or "message", self.last_event_id, self._retry))
        self._data.clear()
        self._event = ""
        self._retry = None
