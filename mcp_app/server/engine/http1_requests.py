"""Parses HTTP/1.1 requests: h11's connection, by the rules of RFC 9112 that h11 leaves to its caller.

What is answered to a request that breaks them is chosen elsewhere; this module does no I/O.
"""

from __future__ import annotations

import re
from typing import Any

import h11
from h11._receivebuffer import ReceiveBuffer

from .header_blocks import MAX_FIELDS
from .well_formed import is_valid_authority, is_valid_path

_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
"""RFC 9112, 3.2.2: the authority, and the path with its query."""

PREFACE_VERSION = b"2.0"
"""The version of HTTP/2's preface, which is the only request of another version than 1.x that is let through."""

_EMPTY_LINES = re.compile(rb"(?:\r\n)+")


class RequestParser(h11.Connection):
    """The server's side of one connection. `next_event` raises h11.RemoteProtocolError for a malformed request."""

    offers_upgrade = False
    """Whether the current request has an Upgrade field."""

    def __init__(self, max_block_bytes: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=max_block_bytes)
        self._receive_buffer: BoundedBuffer = BoundedBuffer(max_block_bytes)

    def _extract_next_receive_event(self) -> Any:
        """As h11, with three differences.

        An empty line before a request line is ignored (RFC 9112, 2.2), also while a response is pending: old clients
        send one after a body, and bytes that wait stop the connection from noticing that its client has left. After
        the last request of a connection nothing is read (RFC 9112, 9.6); h11 rejects it, which would replace the
        response. And each request is checked before anybody sees it.
        """
        state = self.their_state
        if state is h11.IDLE or state is h11.DONE:
            if self._receive_buffer.begins_with_control():
                self._skip_empty_lines(state)
        elif state is h11.MUST_CLOSE:
            self._receive_buffer.clear()
        event = super()._extract_next_receive_event()
        return self._checked(event) if type(event) is h11.Request else event

    def _skip_empty_lines(self, state: type[h11.IDLE] | type[h11.DONE]) -> None:
        self._receive_buffer.skip_empty_lines()
        if state is h11.IDLE and self._receive_buffer.is_next_line_obviously_invalid_request_line():
            raise h11.RemoteProtocolError("illegal request line")

    def _checked(self, request: h11.Request) -> h11.Request:
        """The request, in origin-form. Raises h11.RemoteProtocolError for an invalid target or Host."""
        if not b"1.0" <= request.http_version <= b"1.9":
            return _preface(request)
        fields = request.headers._full_items
        names = [name for _, name, _ in fields]
        self.offers_upgrade = b"upgrade" in names
        if b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1"):
            # RFC 9112, 6.1: whoever stands in between may have framed this message by its other field. What follows
            # it on this connection is not trusted to be a request.
            self._cstate.process_keep_alive_disabled()
        if b"host" in names and not is_valid_authority(fields[names.index(b"host")][2]):
            raise h11.RemoteProtocolError("invalid Host")  # RFC 9112, 3.2, also of one that is not used
        if not (request.target.startswith(b"/") and request.method.isupper()) or b"#" in request.target:
            return _in_usual_form(request)
        return request


class BoundedBuffer(ReceiveBuffer):
    """Received bytes. A block of lines, or a chunk's line, over `max_block_bytes` is an error even if it is complete.

    As released, h11 compares only incomplete blocks with the limit: one of 30 KB was accepted if it came in one piece
    of TCP, and was 431 in two.
    """

    def __init__(self, max_block_bytes: int) -> None:
        super().__init__()
        self._max_block_bytes = max_block_bytes

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """As h11. Raises h11.RemoteProtocolError if the block is too long."""
        size = len(self._data)
        lines = super().maybe_extract_lines()
        self._check(size)
        if lines is not None and len(lines) > MAX_FIELDS + 1:
            raise h11.RemoteProtocolError("too many header fields", error_status_hint=431)
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        """As h11. Raises h11.RemoteProtocolError if the line is too long."""
        size = len(self._data)
        line = super().maybe_extract_next_line()
        self._check(size)
        return line

    def is_next_line_obviously_invalid_request_line(self) -> bool:
        """As h11, but not for the first half of an empty line."""
        return self._data != b"\r" and super().is_next_line_obviously_invalid_request_line()

    def begins_with_control(self) -> bool:
        """Whether the first byte can begin no request line."""
        return bool(self._data) and self._data[0] < 0x21

    def skip_empty_lines(self) -> None:
        """Drop the empty lines at the start."""
        match = _EMPTY_LINES.match(self._data)
        size = 0 if match is None else match.end()
        del match  # it exports the buffer, which cannot shrink while it does
        if size:
            self._extract(size)

    def clear(self) -> None:
        """Drop everything."""
        self._extract(len(self._data))

    def _check(self, size_before: int) -> None:
        if size_before - len(self._data) > self._max_block_bytes:
            raise h11.RemoteProtocolError("the header block is too long", error_status_hint=431)


def _preface(request: h11.Request) -> h11.Request:
    """What HTTP/2 without TLS begins with (RFC 9113, 3.4). Any other request but of 1.x is refused with 505."""
    if (request.method, request.target, request.http_version) == (
        b"PRI",
        b"*",
        PREFACE_VERSION,
    ) and not request.headers:
        return request
    raise h11.RemoteProtocolError("not a version of HTTP/1", error_status_hint=505)


def _in_usual_form(request: h11.Request) -> h11.Request:
    """A request whose target is no path: `*` of an OPTIONS, or a whole URL, whose authority takes the place of Host.

    RFC 9112, 3.2.2: the received Host field must be ignored. CONNECT asks for a tunnel, which is not offered. The
    method in upper case, as Hypercorn passes it on: h11 would expect a body in the response to `head`.
    """
    target, method = request.target, request.method.upper()
    headers = request.headers.raw_items()
    if (absolute := _ABSOLUTE_FORM.fullmatch(target)) is not None:
        authority, path = absolute.groups()
        asterisk = not path and method == b"OPTIONS"  # RFC 9112, 3.2.4
        target = b"*" if asterisk else path if path.startswith(b"/") else b"/" + path
        headers = [(b"Host", authority), *((name, value) for name, value in headers if name.lower() != b"host")]
        if not is_valid_authority(authority):
            raise h11.RemoteProtocolError("invalid host in the request target")
    if not is_valid_path(target, method):
        raise h11.RemoteProtocolError("invalid request target")
    return h11.Request(method=method, headers=headers, target=target, http_version=request.http_version, _parsed=True)
