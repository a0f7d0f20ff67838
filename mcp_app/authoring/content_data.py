"""The bytes of content: what an author gives, a path or bytes, as bytes of a known media type.

A file is read whole and at once, so it is bounded by what one event can carry. Nothing is known here of what the bytes
become.
"""

from __future__ import annotations

import os
import stat

from ..protocol.event import MAX_EVENT_BYTES
from ..protocol.http import media_type

Data = bytes | bytearray | memoryview | os.PathLike[str]


class ContentError(ValueError):
    """What was given cannot be sent as this content, and the message says why. For its author, never a caller."""


MAX_DATA_BYTES = (MAX_EVENT_BYTES - 16 * 1024) // 4 * 3
"""What fits into one event in Base64, which makes four bytes of three, with 16 KiB for all that stands around it. A
larger one would only be read to be refused when it is sent."""


def bytes_and_type(data: Data, declared: str | None, name: str | None = None) -> tuple[bytes, str]:
    """The bytes and their media type: as declared, else by their beginning, else by the extension of the name.

    Raises ContentError when they are too many or of another type than declared, OSError from reading the file.
    """
    raw = read(data)
    found = media_type.by_content(raw)
    declared = checked_type(declared)
    if declared is not None:
        if found is not None and media_type.contradicts(declared, found):
            raise ContentError(f"{_named(data)}: this is {found}, not {declared}")
        return raw, declared
    if name is None and isinstance(data, os.PathLike):
        name = os.path.basename(os.fspath(data))
    return raw, _more_exact(found, media_type.by_name(name or "")) or media_type.UNKNOWN


def read(data: Data) -> bytes:
    """The bytes themselves, or those of the file. Raises ContentError for too many, OSError from reading the file."""
    if isinstance(data, str):
        raise ContentError(
            "a str is neither bytes nor a path: give bytes (of Base64, base64.b64decode(…)) or pathlib.Path(…)"
        )
    raw = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else _file(data)
    if len(raw) > MAX_DATA_BYTES:
        raise ContentError(
            f"{_named(data)}: more than the {MAX_DATA_BYTES} bytes that one event carries; "
            "return a ResourceLink, or a part of it"
        )
    return raw


def checked_type(declared: str | None) -> str | None:
    """The same media type. Raises ContentError when it is not written as one (RFC 9110, 8.3.1)."""
    if declared is not None and not media_type.is_valid(declared):
        raise ContentError(f"{declared!r} is no media type: write it as in image/png")
    return declared


def _more_exact(found: str | None, named: str | None) -> str | None:
    """By the bytes, but for zip files, whose extension says what is in them, and text, which may begin in any way."""
    if named is not None and (found == "application/zip" or media_type.is_text(named)):
        return named
    return found or named


def _file(path: os.PathLike[str]) -> bytes:
    if not isinstance(path, os.PathLike):
        raise ContentError(f"{type(path).__name__} is neither bytes nor a path")
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ContentError(f"{os.fspath(path)}: not a regular file")
        return file.read(MAX_DATA_BYTES + 1)


def _without_waiting(path: str, flags: int) -> int:
    """Opening a named pipe would wait for somebody who writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _named(data: Data) -> str:
    return os.fspath(data) if isinstance(data, os.PathLike) else f"{type(data).__name__} of content"
