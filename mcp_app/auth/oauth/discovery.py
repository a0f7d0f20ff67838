"""Where an issuer publishes what it is, and what is believed of that (RFC 8414; OpenID Connect Discovery 1.0).

Pure: nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def addresses(issuer: str) -> tuple[str, ...]:
    """Where its metadata may be, in the order in which they are tried: RFC 8414, 3.1, then what OpenID Connect has."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    oauth = f"{origin}/.well-known/oauth-authorization-server{path}"
    return oauth, f"{origin}{path}/.well-known/openid-configuration"


def keys_address(issuer: str, metadata: Mapping[str, Any]) -> str:
    """Where its keys are. Raises ValueError if the metadata are of another issuer (RFC 8414, 3.3), or do not say it."""
    named = str(metadata.get("issuer"))
    if named != issuer:
        raise ValueError(f"it is of the issuer {named[:200]!r}, not of {issuer!r}: the same text?")
    address = metadata.get("jwks_uri")
    if not isinstance(address, str) or not reachable(address, insecure=issuer.startswith("http://")):
        raise ValueError("its jwks_uri is no https address")
    return address


def reachable(address: str, *, insecure: bool) -> bool:
    """Whether it is an https address, or also an http one where the issuer has one itself: on a developer's machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and parts.scheme in (("https", "http") if insecure else ("https",))
