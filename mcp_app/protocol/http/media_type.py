"""The media type of data: by its first bytes, or by the extension of a file name.

Limited to what authors of tools return: images, audio, documents. The tables are built in instead of the system's, so
that the same file has the same type on every machine. No file is opened and no data decoded here.
"""

from __future__ import annotations

import re

UNKNOWN = "application/octet-stream"
"""RFC 2046, 4.5.1: any bytes."""

_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;\s*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|\"[^\"\\\r\n]*\"))*", re.ASCII)

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (4, b"ftypM4A", "audio/mp4"),
    (8, b"AIFF", "audio/aiff"),
    (0, b"MThd", "audio/midi"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
)
_CONTAINERS = {"image/webp": b"RIFF", "audio/wav": b"RIFF", "audio/aiff": b"FORM"}

_EXTENSIONS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ico": "image/x-icon",
    "avif": "image/avif",
    "heic": "image/heic",
    "bmp": "image/bmp",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "mid": "audio/midi",
    "weba": "audio/webm",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "txt": "text/plain",
    "log": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "ts": "text/x-typescript",
    "py": "text/x-python",
    "rs": "text/x-rust",
    "go": "text/x-go",
    "c": "text/x-c",
    "sh": "text/x-shellscript",
    "sql": "text/x-sql",
}

_BY_TYPE = {kind: f".{name}" for name, kind in reversed(_EXTENSIONS.items())}
"""The first extension of each type."""

_TEXTS = frozenset(["json", "jsonl", "xml", "yaml", "toml", "javascript", "sql", "graphql", "x-yaml", "x-ndjson"])

_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/vnd.microsoft.icon": "image/x-icon",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/opus": "audio/ogg",
    "audio/vorbis": "audio/ogg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/aac": "audio/mpeg",  # both may begin with an ID3 tag
    "audio/x-aiff": "audio/aiff",
    "audio/x-midi": "audio/midi",
    "image/heif": "image/heic",
}


def is_valid(media_type: str) -> bool:
    """Whether the text has the syntax of a media type (RFC 9110, 8.3.1)."""
    return _TYPE.fullmatch(media_type) is not None


def by_content(data: bytes) -> str | None:
    """The type that the first bytes identify; None when they match no known signature."""
    for offset, magic, media_type in _MAGIC:
        if data.startswith(magic, offset) and data.startswith(_CONTAINERS.get(media_type, b"")):
            return media_type
    if len(data) > 1 and data[0] == 0xFF and data[1] in {0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3}:
        return "audio/mpeg"  # a frame's sync word, version 1, 2 or 2.5, and layer III
    return None


def by_name(name: str) -> str | None:
    """The type for the extension of a file name; None for an unknown extension."""
    return _EXTENSIONS.get(name.rpartition(".")[2].lower()) if "." in name else None


def extension(media_type: str) -> str:
    """The usual extension of a file of that type, with its dot; empty for an unknown type."""
    return _BY_TYPE.get(media_type.partition(";")[0].strip().lower(), "")


def contradicts(declared: str, detected: str) -> bool:
    """Whether the type `detected` in the data contradicts the declared one. Checked for images and audio only.

    The container format of a document is not conclusive: most office formats are zip files.
    """
    essence = declared.partition(";")[0].strip().lower()
    kinds = ("image/", "audio/")
    if not (essence.startswith(kinds) and detected.startswith(kinds)):
        return False
    return _ALIASES.get(essence, essence) != _ALIASES.get(detected, detected)


def is_text(media_type: str) -> bool:
    """Whether data of this type is text: what people write, not what programs do."""
    essence = media_type.partition(";")[0].strip().lower()
    top, _, sub = essence.partition("/")
    return top == "text" or sub in _TEXTS or sub.endswith(("+json", "+xml", "+yaml"))
