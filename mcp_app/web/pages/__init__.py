"""The demo page's files, read once, and the headers they are served with.

Here stand only bytes, their types and their policy. No route, no Quart, and nothing that depends on a request:
the page learns the server's paths from the manifest, so its files are the same for every server.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

from ...protocol.http.conditional import entity_tag

__all__ = ["CONTENT_SECURITY_POLICY", "HEADERS", "StaticFile", "pages"]

# What a tool sends is hostile to a page that shows it. The page inserts text only; this makes a slip harmless too:
# nothing inline runs, nothing is loaded from elsewhere, nothing is sent elsewhere, and no other site may frame the
# page to borrow its buttons. `blob:` is what the page makes itself of a tool's pictures and sound.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# `no-cache` means "ask again each time" (RFC 9111, 5.2.2.4): an upgraded server and an old script never meet, and
# with the ETag asking costs a 304.
HEADERS: tuple[tuple[str, str], ...] = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-cache"),
)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class StaticFile(NamedTuple):
    """One file to serve: its Content-Type, its bytes, and its strong ETag with the quotes (RFC 9110, 8.8.3)."""

    content_type: str
    body: bytes
    etag: str


@functools.cache
def pages() -> Mapping[str, StaticFile]:
    """Return every file by the path it is served at: `/` for the document, `/page/<file>` for the rest.

    Read once per process, from the package itself, so a wheel and a zip serve the same bytes as a checkout.
    """
    found: dict[str, StaticFile] = {}
    for entry in resources.files(__name__).iterdir():
        content_type = _TYPES.get(entry.name[entry.name.rfind(".") :])
        if content_type is None:
            continue
        body = entry.read_bytes()
        path = "/" if entry.name == "index.html" else f"/page/{entry.name}"
        found[path] = StaticFile(content_type, body, entity_tag(body))
    return MappingProxyType(found)
