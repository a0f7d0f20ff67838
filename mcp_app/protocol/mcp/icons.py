"""What MCP says of icons (2026-07-28, basic, `icons`; the same in 2025-11-25 and in server cards). Pure: no icon is
loaded, and none is decoded but for its Base64."""

from __future__ import annotations

import base64
import binascii
import re

from ..http.media_type import is_valid
from ..http.web_url import excerpt, is_web_url

SIZE = r"^([0-9]+x[0-9]+|any)\Z"
"""A size in pixels, or "any" for an image that scales."""

THEMES = ("light", "dark")

_DATA = re.compile(r"data:(image/[A-Za-z0-9.+-]+)(?:;[A-Za-z0-9-]+=[A-Za-z0-9.+-]+)*;base64,(.+)", re.DOTALL)


def checked_src(value: str) -> str:
    """Return the address of an icon: "An HTTP/HTTPS URL" or "A data URI with base64-encoded image data".

    Raises ValueError.
    """
    if is_web_url(value):
        return value
    found = _DATA.fullmatch(value)
    if found is None:
        raise ValueError(f"expected an absolute http(s) URL or a data:image/…;base64, URI, got {excerpt(value)}")
    try:
        base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"expected Base64 behind data:{found[1]};base64, got {found[2][:40]!r}") from None
    return value


def checked_type(value: str) -> str:
    """Return the media type of an icon, which is one of images. Raises ValueError."""
    if not is_valid(value) or not value.lower().startswith("image/"):
        raise ValueError(f"expected the media type of an image, such as image/png, got {value[:80]!r}")
    return value
