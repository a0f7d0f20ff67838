"""One door for each address under which a client looks for the server: path, content type, bytes, tag, headers.

Made once at start, from values to bytes; the routes only hand them out. CORS is open here and nowhere else: the
documents are public, and no run starts by reading them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..protocol.http.conditional import entity_tag, matches
from .documents import CARD_TYPE, CATALOG_TYPE, LiveServer, catalog, listing, plain_manifest, server_card
from .manifest import Manifest
from .paths import CARD_PATH, CATALOG_PATH, LISTING_PATH, PLAIN_PATHS

CORS: tuple[tuple[str, str], ...] = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET"),
    ("Access-Control-Allow-Headers", "Content-Type, If-None-Match"),
    ("Access-Control-Expose-Headers", "ETag"),
)
"""Exactly what the server card's discovery.md asks for; also the answer to a preflight."""

CACHE = "public, max-age=3600"
"""The server card's discovery.md: one hour."""

REVALIDATE = "no-cache"
"""Kept, and asked for again each time: on a developer's machine the tools change from minute to minute."""


class Door(NamedTuple):
    """One document at one path. `cacheable` says whether others may keep it for an hour without asking."""

    path: str
    content_type: str
    body: bytes
    etag: str
    cacheable: bool

    def answer(self, if_none_match: str | None) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """Status, headers and body for GET (HEAD: the same without the body).

        304 repeats what 200 would say of caching, and has neither body nor content type (RFC 9110, 15.4.5). Accept is
        not asked: a bare GET gets the document.
        """
        caching = (("ETag", self.etag), ("Cache-Control", CACHE if self.cacheable else REVALIDATE))
        if matches(self.etag, if_none_match):
            return 304, (*caching, *CORS), b""
        about = (("Content-Type", self.content_type), ("X-Content-Type-Options", "nosniff"))
        return 200, (*about, *caching, *CORS), self.body


def doors(manifest: Manifest, live: LiveServer, *, base_url: str, cacheable: bool) -> tuple[Door, ...]:
    """Every discovery document of the server.

    `base_url` is the public URL, or the server's own loopback URL when there is none (then not `cacheable`).
    Raises ManifestError when it is no usable address.
    """
    plain = plain_manifest(manifest, live, base_url)
    documents: list[tuple[str, str, Mapping[str, Any]]] = [
        (CARD_PATH, CARD_TYPE, server_card(manifest, live, base_url)),
        (CATALOG_PATH, CATALOG_TYPE, catalog(manifest, base_url)),
        *((path, "application/json", plain) for path in PLAIN_PATHS),
        (LISTING_PATH, "application/json", listing(manifest, live, base_url)),
    ]
    return tuple(_door(path, kind, document, cacheable) for path, kind, document in documents)


def _door(path: str, content_type: str, document: Mapping[str, Any], cacheable: bool) -> Door:
    # Indented, because people read it with curl; it is sent rarely and is small.
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n"
    return Door(path, content_type, body, entity_tag(body), cacheable)
