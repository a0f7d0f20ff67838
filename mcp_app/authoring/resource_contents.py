"""Converts the return value of a resource's function to the contents in `resources/read` (MCP, Resources, Reading).

Nothing is looked up or run here.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from ..protocol.event import encode
from ..protocol.http import media_type
from .content import Audio, Content, EmbeddedResource, Image, Text
from .content_blocks import ARRAYS
from .content_data import ContentError
from .result import Result

_JSON = "application/json"


def contents(value: Any, uri: str, mime_type: str | None) -> list[dict[str, Any]]:
    """The contents at `uri`: str as text, bytes as a blob, other values as JSON; embedded resources at their own URIs.

    `mime_type` is the one declared by the resource; values with a media type of their own override it.

    Raises ContentError for a value that cannot be the contents of a resource.
    """
    if isinstance(value, ARRAYS) and any(isinstance(item, Content) for item in value):
        return [_embedded(item, index) for index, item in enumerate(value)]
    match value:
        case EmbeddedResource():
            return [value.resource()]
        case Content():
            return [_content(value, uri, mime_type)]
        case str():
            return [{"uri": uri, "mimeType": mime_type or "text/plain", "text": value}]
        case bytes() | bytearray() | memoryview():
            return [_blob(uri, bytes(value), mime_type)]
        case Result():
            raise ContentError("a Result is given by tools only: return what is in it")
        case os.PathLike():
            raise ContentError("a path is not what is in the file: return File(path), or what you read from it")
        case _:
            return [{"uri": uri, "mimeType": mime_type or _JSON, "text": encode(value).decode()}]


def _embedded(item: Any, index: int) -> dict[str, Any]:
    if not isinstance(item, EmbeddedResource):
        raise ContentError(
            f"item {index} of the list is of type {type(item).__name__}: several contents are a list of "
            "EmbeddedResource or File, each with its own URI"
        )
    return item.resource()


def _content(value: Content, uri: str, mime_type: str | None) -> dict[str, Any]:
    match value:
        case Text():
            return {"uri": uri, "mimeType": mime_type or "text/plain", "text": value.text}
        case Image() | Audio():
            return _blob(uri, value.data, value.mime_type)
        case _:
            raise ContentError(f"a {type(value).__name__} has no contents of its own")


def _blob(uri: str, data: bytes, mime_type: str | None) -> dict[str, Any]:
    kind = mime_type or media_type.by_content(data) or media_type.UNKNOWN
    return {"uri": uri, "mimeType": kind, "blob": base64.b64encode(data).decode()}
