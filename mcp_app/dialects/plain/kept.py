"""A kept result as an answer: its bytes, or a range of them (RFC 9110, 14). Which result it is was decided before."""

from __future__ import annotations

from urllib.parse import quote

from ...protocol.http import ranges
from ...protocol.http.conditional import matches
from ...protocol.linked import Kept
from ...web.messages import Answer, Request

_HEADERS = (
    ("Accept-Ranges", "bytes"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
)


def kept_answer(request: Request, kept: Kept, number: int) -> Answer:
    """The answer to GET, or to HEAD, which has no ranges (14.2)."""
    data, size = kept.data, len(kept.data)
    etag = f'"{number}-{size}"'  # the bytes at this URL never change
    headers: tuple[tuple[str, str], ...] = (*_HEADERS, ("ETag", etag))
    if matches(etag, request.headers.get("if-none-match")):
        return Answer(304, headers)
    name = quote(kept.file_name(number), safe="")
    headers = (
        ("Content-Type", f"{kept.mime_type}; charset=utf-8" if _says_charset(kept) else kept.mime_type),
        # A tool may return a page: opened here it would be one of this server's own, with its rights.
        ("Content-Disposition", f"attachment; filename*=UTF-8''{name}"),  # RFC 6266
        *headers,
    )
    if request.method != "GET" or not ranges.applies(request.headers.get("if-range"), etag):
        return Answer(200, headers, data)
    part = ranges.asked_for(request.headers.get("range"), size)
    if part is None:
        return Answer(200, headers, data)
    return Answer(206, (*headers, ("Content-Range", part.content_range(size))), data[part.start : part.end])


def _says_charset(kept: Kept) -> bool:
    """Whether the type gets one: JSON has none (RFC 8259, 11), and of bytes only their author knows it."""
    return kept.text and kept.mime_type.startswith("text/") and ";" not in kept.mime_type
