"""Event streams as bytes: the frames a server writes, and the decoder a client reads them with.

WHATWG HTML 9.2 "Server-sent events". Pure: bytes in, bytes or values out. Nothing here may know what an event means
(that is a dialect's business), when a heartbeat is due (`stream.py`), or what carries the bytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A comment line WITHOUT the blank line that would end an event. A comment followed by a blank line makes lenient
# clients (httpx-sse, and so many agents) dispatch an empty event once an id has been seen; one line alone never does,
# and for a browser both are nothing.
HEARTBEAT = b":\n"

# First bytes of every stream: headers and status leave at once, and proxies see a body. Here the blank line is wanted:
# it ends what a careless client may still hold from a connection that was cut in the middle of an event, and no id has
# been seen yet that could make an empty event of it.
OPEN = b": open\n\n"

# The largest `retry:` we keep, in milliseconds: what a browser's timer can hold (2**31 - 1, 24.8 days). Without it a
# peer could make us convert, and then wait, any number of digits.
MAX_RETRY = 2**31 - 1

# What one undispatched event may hold in a Decoder, in bytes. Our own server refuses larger events, so more than this
# is a stream that is broken or hostile; without the bound it would be held in memory to its end.
MAX_EVENT_BYTES = 16 * 1024 * 1024

# 9.2.5: end-of-line = ( cr lf / cr / lf ). U+2028 and the like are ordinary characters here.
_END_OF_LINE = re.compile(rb"\r\n|\r|\n")


def comment(text: str) -> bytes:
    """`text` as comment lines, which clients skip: for people who read the raw stream.

    Like HEARTBEAT it does not end an event, so it may stand between two frames, never inside one. Each line of a
    `text` of several lines becomes a comment, so no text can start a field.
    """
    lines = _END_OF_LINE.split(text.encode())
    return b"".join(b": %b\n" % line if line else b":\n" for line in lines)


def frame(data: bytes, *, id: str | None = None, event: str | None = None, retry: int | None = None) -> bytes:  # noqa: A002 - the standard's name
    """The bytes of one whole event (9.2.6). A client dispatches it as soon as they are there.

    `data` is UTF-8, normally one line of JSON. Data of several lines arrives with each line end as one LF. `retry` is
    the reconnection time in milliseconds; there is no frame without data, because some clients dispatch an empty event
    for a lone `retry:`.

    Raises ValueError for CR, LF or NUL in `id` or `event` (the first two would start a field of the caller's choice,
    with NUL the client ignores the id), and for a `retry` that is negative or above MAX_RETRY.
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
    """What a client dispatches. `id` is the last event id, which an event without one inherits (9.2.6).

    `retry` is the reconnection time, in milliseconds, that stood in this event's own block.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class OversizedEventError(ValueError):
    """An event, or one line, was larger than the decoder's bound. The decoder takes nothing after it.

    It is the reader's own limit and never goes over the wire, so it is none of the errors in `errors.py`. `events` are
    those which the same bytes completed before it; `limit` is the bound, in bytes.
    """

    def __init__(self, limit: int, events: list[ServerSentEvent]) -> None:
        super().__init__(f"an event of this stream is larger than the bound of {limit} bytes")
        self.limit = limit
        self.events = events


class Decoder:
    """9.2.6 "Interpreting an event stream", fed with the bytes as they come.

    Lines may end in LF, CR or CRLF, and chunks may be cut anywhere, also within CRLF, a character or the byte order
    mark. Invalid UTF-8 becomes U+FFFD, as the standard's UTF-8 decode does. An event without its blank line is dropped
    at the end of the stream: simply stop feeding. For the next connection take a new decoder.

    Lines are split before they are decoded: no byte of a longer UTF-8 sequence is CR or LF, and a sequence which a line
    end cuts short is replaced in either order, so the text is the same.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """`max_event_bytes` bounds what is held of one unfinished event: its data, and a line without its end."""
        self.last_event_id = ""
        """What a reconnecting client sends as Last-Event-ID."""
        self.reconnection_time: int | None = None
        """Milliseconds to wait before reconnecting; None while the stream has not said so."""
        self.comments = 0
        """Comment lines seen so far: heartbeats, mostly."""
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()  # the line whose end has not come yet
        self._first_line = True
        self._after_cr = False  # the last chunk ended in CR; an LF that follows belongs to it
        self._data = bytearray()
        self._event = ""
        self._id = ""
        self._retry: int | None = None
        self._failed = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes, in order.

        Raises OversizedEventError when an event outgrows the bound, and at every call after that.
        """
        if self._failed:
            raise OversizedEventError(self._max_event_bytes, [])
        if not chunk:
            return []
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
        self._after_cr = chunk[-1:] == b"\r"
        events: list[ServerSentEvent] = []
        # bytes.splitlines knows CR, LF and CRLF and, unlike str.splitlines, nothing else.
        for piece in chunk.splitlines(keepends=True):
            line = piece.rstrip(b"\r\n")
            if len(self._line) + len(line) + len(self._data) > self._max_event_bytes:
                self._fail(events)
            if len(line) == len(piece):
                self._line += line
            elif self._line:
                whole = bytes(self._line) + line
                self._line.clear()
                self._take(whole, events)
            else:
                self._take(line, events)
        return events

    def _fail(self, events: list[ServerSentEvent]) -> None:
        self._failed = True
        self._line.clear()
        self._data.clear()
        raise OversizedEventError(self._max_event_bytes, events)

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """One whole line, without its end."""
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(b"\xef\xbb\xbf")  # UTF-8 decode drops one byte order mark
        if not line:
            self._dispatch(events)
        elif line.startswith(b":"):
            self.comments += 1
        else:
            # "If value starts with a U+0020 SPACE character, remove it"; a line without a colon is a name alone.
            name, _, value = line.partition(b":")
            self._process(name, value.removeprefix(b" "))

    def _process(self, name: bytes, value: bytes) -> None:
        """9.2.6, "process the field". Names are compared as they are; any other name is ignored."""
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
            self._retry = min(int(digits[:11] or b"0"), MAX_RETRY)  # eleven digits are beyond MAX_RETRY already
            self.reconnection_time = self._retry

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """9.2.6, "dispatch the event". The id counts even where there is no data, and then no event."""
        self.last_event_id = self._id
        if self._data:
            data = self._data[:-1].decode(errors="replace")
            events.append(ServerSentEvent(data, self._event or "message", self.last_event_id, self._retry))
        self._data.clear()
        self._event = ""
        self._retry = None
