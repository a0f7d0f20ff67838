"""Absolute http(s) URLs that are published: anybody reads them, so that they have no credentials.

Text in, a verdict out; nothing is opened.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""Characters of a URI (RFC 3986, 2): whatever else is in an address must be percent-encoded."""


def is_web_url(value: str) -> bool:
    """Whether `value` is one."""
    try:
        parts = urlsplit(value)
        reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, an IPv6 address without its bracket
        return False
    return reachable and parts.scheme in ("http", "https") and "@" not in parts.netloc and bool(URI.fullmatch(value))


def excerpt(value: str) -> str:
    """The start of an invalid one for a message, but nothing that may be a password, because messages are logged."""
    return "one with an @ in it" if "@" in value else repr(value[:80])
