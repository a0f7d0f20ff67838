"""The names by which a server is reached, and pages that may call it, as an operator writes them: each is checked when
the server starts, with what is wrong and what to write.

Pure. Which of them a request may use is decided in web/guard.py.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from pydantic import AnyHttpUrl

_HOST = r"(?P<host>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
"""A name, in ASCII form if it is international, an IPv4 address, or an IPv6 address in brackets; and a port."""

_AUTHORITY = re.compile(_HOST, re.ASCII)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST}", re.ASCII)
"""An origin as browsers serialise it (RFC 6454, 6.1): no user, path or wildcard."""

_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+;=:-]+)*/?", re.ASCII)
"""Segments of RFC 3986, 3.3. Without empty ones: `//` at its beginning would name another host in a Location. Without
`@` and comma, which are typed where a user or a second URL was meant."""

_USER = "it has a user or a password, and stands in public documents: leave it out"

_MENDED = re.compile(r"[\x00-\x20\\]")
_SCHEME_ONLY = re.compile(r"\s*https?:(?!//[^/])", re.IGNORECASE)
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
"""A segment that names no step down (RFC 3986, 5.2.4)."""


def split(value: object) -> object:
    """The parts of a text, which are separated by commas; a slash at the end of one is left out."""
    if isinstance(value, str):
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    return value


def check_written_url(value: object) -> object:
    """Raises ValueError for what a parser of URLs would mend or leave out without a word: what then is served is not
    what is written."""
    if not isinstance(value, str):
        return value
    authority, _, path = value.partition("://")[2].partition("/")
    problem = None
    if "@" in authority:
        problem = _USER
    elif _MENDED.search(value.strip()):
        problem = "it has a space or a backslash: leave it out"
    elif _SCHEME_ONLY.match(value):
        problem = "there is no host behind https://: give https://tools.example.com"
    elif any(_DOTS.fullmatch(segment) for segment in path.split("/")):
        problem = "its path has a segment . or ..: give the path that callers use"
    if problem is not None:
        raise ValueError(problem)
    return value


def check_public_url(url: AnyHttpUrl | None) -> AnyHttpUrl | None:
    """Raises ValueError unless it is http(s)://host[:port][/path], of which addresses and documents can be made."""
    if url is None:
        return None
    problem = None
    if "," in (url.host or "") or "," in (url.path or ""):
        problem = "it has a comma: give one URL here, and further names in MCP_APP_ALLOWED_HOSTS"
    elif url.username is not None or url.password is not None:
        problem = _USER
    elif url.query is not None or url.fragment is not None:
        problem = "it has a query or a fragment: leave out what begins with ? or #"
    elif url.port == 0:
        problem = "port 0 cannot be called: give the port at which callers reach the server"
    elif not _AUTHORITY.fullmatch(url.host or ""):
        problem = "its host is not one name or address: give https://tools.example.com"
    elif not _PATH.fullmatch(url.path or ""):
        problem = "its path has an empty segment, or a mark that is none of - . _ ~ % ! $ & ' ( ) * + ; = :"
    if problem is not None:
        raise ValueError(problem)
    return url


def check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError unless each is a host, with a port or without."""
    for host in hosts:
        if not _is_authority(_AUTHORITY.fullmatch(host)):
            raise ValueError(
                f"{host!r} is not a host such as tools.internal, 10.0.0.7, [fd00::7] or mcp:8000: each by its own"
                " name, without scheme, path and wildcard"
            )
    return hosts


def check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError unless each is an origin."""
    for origin in origins:
        if not _is_authority(_ORIGIN.fullmatch(origin)):
            raise ValueError(f"{origin!r} is not an exact origin such as https://app.example.com")
    return origins


def _is_authority(match: re.Match[str] | None) -> bool:
    """Whether a Host or an Origin can ever be equal to it."""
    if match is None or not 0 < int(match["port"] or 1) <= 65535:
        return False
    if match["host"].startswith("["):
        try:
            IPv6Address(match["host"][1:-1])
        except ValueError:
            return False
    return True
