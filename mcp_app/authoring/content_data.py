"""The bytes of content: a path or bytes from an author, read and with their media type detected.

A file is read completely, so its size is limited. What kind of content the bytes become is not known here.
"""

from __future__ import annotations

import os
import stat

from ..protocol.http import media_type
from ..protocol.linked import MAX_RESULT_BYTES

Data = bytes | bytearray | memoryview | os.PathLike[str]


class ContentError(ValueError):
    """The arguments cannot be sent as this content. The message is for the author, never for a caller."""


MAX_DATA_BYTES = MAX_RESULT_BYTES
"""Maximum size: what does not fit into one event is linked, and a larger file would be read only to be refused."""


class ContentTooLarge(ContentError):
    """More than MAX_DATA_BYTES. Callers are told the size and the bound, not the message, which may name a path."""

    def __init__(self, label: str, size: int) -> None:
        super().__init__(
            f"{label}: {size} bytes are more than the {MAX_DATA_BYTES} bytes that content may have; "
            "return a ResourceLink, or a part of it"
        )
        self.size = size


def bytes_and_type(data: Data, declared: str | None, name: str | None = None) -> tuple[bytes, str]:
    """The bytes and their media type: as declared, else by the first bytes, else by the extension of the name.

    Raises ContentError if they are too many or contradict the declared type, OSError from reading the file.
    """
    raw = read(data)
    found = media_type.by_content(raw)
    declared = checked_type(declared)
    if declared is not None:
        if found is not None and media_type.contradicts(declared, found):
            raise ContentError(f"{_label(data)}: this is {found}, not {declared}")
        return raw, declared
    if name is None and isinstance(data, os.PathLike):
        name = os.path.basename(os.fspath(data))
    return raw, _more_exact(found, media_type.by_name(name or "")) or media_type.UNKNOWN


def read(data: Data) -> bytes:
    """The bytes, or those of the file. Raises ContentError for too many, OSError from reading the file."""
    if isinstance(data, str):
        raise ContentError(
            "a str is neither bytes nor a path: give bytes (of Base64, base64.b64decode(…)) or pathlib.Path(…)"
        )
    raw = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else _file(data)
    if len(raw) > MAX_DATA_BYTES:
        raise ContentTooLarge(_label(data), len(raw))
    return raw


def checked_type(declared: str | None) -> str | None:
    """Return the media type. Raises ContentError if its syntax is invalid (RFC 9110, 8.3.1)."""
    if declared is not None and not media_type.is_valid(declared):
        raise ContentError(f"{declared!r} is no media type: write it as in image/png")
    return declared


def as_text(raw: bytes, kind: str) -> str | None:
    """The bytes as text, if both their media type and they themselves are; else None."""
    if not media_type.is_text(kind):
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _more_exact(found: str | None, named: str | None) -> str | None:
    """The type by content; by name for zip files, whose extension is more specific, and for text, which has no magic
    number."""
    if named is not None and (found == "application/zip" or media_type.is_text(named)):
        return named
    return found or named


def _file(path: os.PathLike[str]) -> bytes:
    if not isinstance(path, os.PathLike):
        raise ContentError(f"{type(path).__name__} is neither bytes nor a path")
    with open(path, "rb", opener=_nonblocking) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ContentError(f"{os.fspath(path)}: not a regular file")
        if found.st_size > MAX_DATA_BYTES:
            raise ContentTooLarge(os.fspath(path), found.st_size)
        return file.read(MAX_DATA_BYTES + 1)


def _nonblocking(path: str, flags: int) -> int:
    """Opening a named pipe would block until it has a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _label(data: Data) -> str:
    return os.fspath(data) if isinstance(data, os.PathLike) else f"{type(data).__name__} of content"
