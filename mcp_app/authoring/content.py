"""Content that a tool, a prompt or a resource may return: text, images, audio, files, links to resources.

Authors create instances of these classes; `block` returns the content block of MCP (2026-07-28, Tools, Tool Result; the
same in 2025-11-25). Files are read in the constructor, so that errors are raised in the author's line. The blocks are
plain dicts: the models of mcp-types would triple the import time of a file of tools; the tests compare the blocks with
them. No run, no reader and no policy of what a client can show is in here.
"""

from __future__ import annotations

import base64
import os
import typing
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import methodcaller
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic_core import CoreSchema, SchemaSerializer, core_schema

from ..protocol.http import media_type
from ..protocol.http.uri_template import normal
from .content_data import ContentError, Data, as_text, bytes_and_type, checked_type, read

Role = Literal["user", "assistant"]

_ROLES = frozenset(typing.get_args(Role))


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Hints for the client (MCP, Resources, Annotations).

    audience: "user", "assistant" or both. priority: from 0.0, entirely optional, to 1.0, effectively required.
    last_modified: a time zone aware datetime.

    Raises ContentError for other values.
    """

    audience: Sequence[Role] = ()
    priority: float | None = None
    last_modified: datetime | None = None

    def __post_init__(self) -> None:
        if isinstance(self.audience, str) or not _ROLES.issuperset(self.audience):
            raise ContentError(f'audience is {self.audience!r}, not a list of "user" and "assistant"')
        if self.priority is not None and not 0 <= self.priority <= 1:
            raise ContentError(f"priority is {self.priority!r}, not a number from 0.0 to 1.0")
        if self.last_modified is not None and self.last_modified.tzinfo is None:
            raise ContentError("last_modified has no time zone: nobody else knows which one is meant")

    def wire(self) -> dict[str, Any]:
        """As sent over MCP."""
        modified = self.last_modified and self.last_modified.isoformat().replace("+00:00", "Z")
        return present(audience=list(self.audience) or None, priority=self.priority, lastModified=modified)


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None, with annotations serialised: MCP omits unknown members."""
    return {
        name: value.wire() if isinstance(value, Annotations) else value
        for name, value in fields.items()
        if value is not None
    }


class Content(ABC):
    """The base class of all content."""

    __slots__ = ()

    @abstractmethod
    def block(self) -> dict[str, Any]:
        """The MCP content block."""

    __pydantic_serializer__: ClassVar[SchemaSerializer]  # for content within a value whose type is not declared

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """For annotations like `-> Image`: validated by class, serialised as its block."""
        return core_schema.is_instance_schema(cls, serialization=_AS_BLOCK)


_AS_BLOCK = core_schema.plain_serializer_function_ser_schema(
    methodcaller("block"), return_schema=core_schema.dict_schema()
)
Content.__pydantic_serializer__ = SchemaSerializer(core_schema.any_schema(serialization=_AS_BLOCK))


@dataclass(frozen=True, slots=True)
class Text(Content):
    """Text with annotations, or beside other content. Otherwise return a str."""

    text: str
    annotations: Annotations | None = None

    def __post_init__(self) -> None:
        _check_text(self.text)

    def block(self) -> dict[str, Any]:
        return present(type="text", text=self.text, annotations=self.annotations)


@dataclass(frozen=True, slots=True, init=False)
class _Media(Content):
    data: bytes = field(repr=False)
    mime_type: str
    annotations: Annotations | None = None

    kind: ClassVar[str]

    def __init__(self, data: Data, mime_type: str | None = None, *, annotations: Annotations | None = None) -> None:
        """Raises ContentError if the data is not of this kind, OSError if the file cannot be read."""
        raw, kind = bytes_and_type(data, mime_type)
        if not raw:
            raise ContentError(f"there are no bytes of this {self.kind}")
        if not kind.startswith(f"{self.kind}/"):
            known = "" if kind == media_type.UNKNOWN else f", but {kind}"
            raise ContentError(f"this is no {self.kind} that is known here{known}: if it is one, say so with mime_type")
        object.__setattr__(self, "data", raw)
        object.__setattr__(self, "mime_type", kind)
        object.__setattr__(self, "annotations", annotations)

    def block(self) -> dict[str, Any]:
        encoded = base64.b64encode(self.data).decode()
        return present(type=self.kind, data=encoded, mimeType=self.mime_type, annotations=self.annotations)


class Image(_Media):
    """An image: bytes, or the path of a file. The media type is detected by the first bytes or by the extension."""

    __slots__ = ()
    kind = "image"


class Audio(_Media):
    """Audio: bytes, or the path of a file. The media type is detected by the first bytes or by the extension."""

    __slots__ = ()
    kind = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedResource(Content):
    """A resource embedded in the result: either `text` or `blob` at `uri`, which the client may show or store."""

    uri: str
    text: str | None = None
    blob: bytes | None = field(default=None, repr=False)
    mime_type: str | None = None
    annotations: Annotations | None = None

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        if (self.text is None) == (self.blob is None):
            raise ContentError(f"{self.uri}: give either text or blob")
        if self.text is not None:
            _check_text(self.text)
        if self.blob is not None:
            object.__setattr__(self, "blob", read(self.blob))
        checked_type(self.mime_type)

    def resource(self) -> dict[str, Any]:
        """As MCP resource contents."""
        if self.text is not None:
            return {"uri": self.uri, "mimeType": self.mime_type or "text/plain", "text": self.text}
        data = self.blob or b""
        kind = self.mime_type or media_type.by_content(data) or media_type.UNKNOWN
        return {"uri": self.uri, "mimeType": kind, "blob": base64.b64encode(data).decode()}

    def block(self) -> dict[str, Any]:
        return present(type="resource", resource=self.resource(), annotations=self.annotations)


class File(EmbeddedResource):
    """A file embedded in the result, from a path or from bytes with a `name`: text if both its media type and its bytes
    are text, else a blob. Its URI contains its name, but not its directory."""

    __slots__ = ()

    def __init__(
        self,
        data: Data,
        *,
        name: str | None = None,
        uri: str | None = None,
        mime_type: str | None = None,
        annotations: Annotations | None = None,
    ) -> None:
        """Raises ContentError without a name or a URI, OSError if the file cannot be read."""
        if name is None and isinstance(data, os.PathLike):
            name = os.path.basename(os.fspath(data))
        if not name and uri is None:
            raise ContentError("a file of bytes needs its name, or a uri")
        raw, kind = bytes_and_type(data, mime_type, name)
        text = as_text(raw, kind)
        super().__init__(
            uri=uri or f"file:///{quote(name or '', safe='')}",
            text=text,
            blob=raw if text is None else None,
            mime_type=kind,
            annotations=annotations,
        )


@dataclass(frozen=True, slots=True)
class ResourceLink(Content):
    """A link to a resource that the client can read, whether it is listed or not. `size` is in bytes."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    annotations: Annotations | None = None

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        checked_type(self.mime_type)
        if self.size is not None and self.size < 0:
            raise ContentError(f"{self.uri}: a size of {self.size} bytes")

    def block(self) -> dict[str, Any]:
        return present(
            type="resource_link",
            uri=self.uri,
            name=self.name,
            title=self.title,
            description=self.description,
            mimeType=self.mime_type,
            size=self.size,
            annotations=self.annotations,
        )


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise ContentError(f"the text is of type {type(text).__name__}, not str")


def _check_uri(uri: Any) -> None:
    if not isinstance(uri, str) or not uri.isascii() or normal(uri) is None:
        raise ContentError(f"{uri!r} is no URI (RFC 3986): it needs a scheme, and all else percent-encoded")
