"""ASGI's words for a request and for the head of an answer, as plain values: for the lane and for Quart's view alike,
so that both say the same. Nothing is read, sent or decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from ..messages import Answer, Request

_NAMES = 256
_NAME_BYTES = 64
"""Names of fields that are kept, and how long one may be: each request brings the same dozen, and a stream that is open
holds them. What strangers make up takes 32 KiB at most."""


NO_PATH = "/*"
"""Where a target without a path leads (`*`, `?x`, `http://[`). No route can be here: mcp.json's own must be made of
letters, digits and a few marks."""


def path_in(scope: Mapping[str, Any]) -> str:
    """The path of the request, without the root path that its server is mounted at."""
    path = target_path(scope["path"])
    root: str = scope.get("root_path", "")
    if root:
        below = path.removeprefix(root)
        return below if below != path and below.startswith("/") else NO_PATH
    return path


def target_path(target: str) -> str:
    """The path in a request target (RFC 9112, 3.2). It begins with a slash."""
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return NO_PATH
    return (parts.path or "/") if parts.scheme and parts.netloc else NO_PATH


def request_in(scope: Mapping[str, Any], path: str, headers: Mapping[str, str], body: bytes) -> Request:
    """The request whose ASGI `scope` this is, with the path that `path_in` says.

    The method is as the server gives it. (Hypercorn writes it in upper case, although `get` is not GET: RFC 9110, 9.1.)
    """
    return Request(
        method=scope["method"],
        path=path,
        query=scope["query_string"],
        headers=headers,
        body=body,
        peer=(scope.get("client") or ("<local>",))[0],
        scheme=scope["scheme"],
        server=_server(scope.get("server")),
        http_version=scope["http_version"],
    )


def says_length(answer: Answer, method: str) -> bool:
    """Whether the answer's head says how long its body is: not without one (RFC 9110, 8.6), and not for a stream."""
    return isinstance(answer.body, bytes) and method != "HEAD" and answer.status not in {204, 304}


def headers_in(scope: Mapping[str, Any]) -> dict[str, str]:
    """Its header fields as a request has them: names in lower case, a repeated field as one (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = (_kept_name if len(raw_name) <= _NAME_BYTES else _name)(raw_name)
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


_kept_name = lru_cache(maxsize=_NAMES)(_name)


def _server(server: tuple[str, int | None] | None) -> tuple[str, int]:
    """Where the connection came in. A Unix socket has a path and no port: who asks is on this machine then."""
    host, port = server or ("", None)
    return (host, port) if port else ("localhost", 0)
