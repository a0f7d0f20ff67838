"""The discovery documents as bytes, one for each path that clients try: content type, body, entity tag, header fields.

Serialised once at start; the routes only serve them. CORS is open here and nowhere else: the documents are public, and
reading them starts no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..protocol.event import escape_line_ends
from ..protocol.http.conditional import entity_tag, matches
from .documents import CARD_TYPE, CATALOG_TYPE, LiveServer, catalog, listing, plain_manifest, server_card
from .manifest import Manifest
from .openapi import openapi
from .paths import CARD_PATH, CATALOG_PATH, LISTING_PATH, OPENAPI_PATH, PLAIN_PATHS

CORS: tuple[tuple[str, str], ...] = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET"),
    ("Access-Control-Allow-Headers", "Content-Type, If-None-Match"),
    ("Access-Control-Expose-Headers", "ETag"),
)
"""Exactly what the server card's discovery.md requires; also the answer to a preflight request."""

CACHE = "public, max-age=3600"
"""The server card's discovery.md: one hour."""

REVALIDATE = "no-cache"
"""Cached, but revalidated each time: on a developer's machine the tools change from minute to minute."""


class Document(NamedTuple):
    """One document at one path. `cacheable`: caches may use it for an hour without revalidation."""

    path: str
    content_type: str
    body: bytes
    etag: str
    cacheable: bool

    def answer(self, if_none_match: str | None) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """Status, headers and body for GET (HEAD: the same without the body).

        304 repeats the caching fields of 200, and has neither body nor content type (RFC 9110, 15.4.5). The Accept
        field is ignored: every GET returns the document.
        """
        caching = (("ETag", self.etag), ("Cache-Control", CACHE if self.cacheable else REVALIDATE))
        if matches(self.etag, if_none_match):
            return 304, (*caching, *CORS), b""
        content = (("Content-Type", self.content_type), ("X-Content-Type-Options", "nosniff"))
        return 200, (*content, *caching, *CORS), self.body


def documents_of(manifest: Manifest, live: LiveServer, *, base_url: str, cacheable: bool) -> tuple[Document, ...]:
    """Every discovery document of the server.

    `base_url` is the public URL, or without one the server's own loopback URL (then not `cacheable`).
    Raises ManifestError if it is not a usable URL.
    """
    plain = plain_manifest(manifest, live, base_url)
    documents: list[tuple[str, str, Mapping[str, Any]]] = [
        (CARD_PATH, CARD_TYPE, server_card(manifest, live, base_url)),
        (CATALOG_PATH, CATALOG_TYPE, catalog(manifest, base_url)),
        *((path, "application/json", plain) for path in PLAIN_PATHS),
        (LISTING_PATH, "application/json", listing(manifest, live, base_url)),
        (OPENAPI_PATH, "application/json", openapi(manifest, live, base_url)),
    ]
    return tuple(_document(path, kind, document, cacheable) for path, kind, document in documents)


def _document(path: str, content_type: str, document: Mapping[str, Any], cacheable: bool) -> Document:
    # Indented, because people read it with curl; it is sent rarely and is small. The schemas of all tools are neither.
    indent = None if path == OPENAPI_PATH else 2
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent).encode() + b"\n"
    body = escape_line_ends(text)
    return Document(path, content_type, body, entity_tag(body), cacheable)
