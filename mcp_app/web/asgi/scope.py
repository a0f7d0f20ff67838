"""Converts between ASGI scopes and plain values: the request, and the head of an answer. Used by the lane and by
Quart's view, so that both behave the same. Nothing is read, sent or decided here."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...protocol.payer import LOCAL_PEER
from ..messages import Answer, Request

_NOTHING: Mapping[str, Any] = {}

_CACHED_NAMES = 256
_CACHED_NAME_BYTES = 64
"""The number of cached field names, and the longest cached one: each request has the same dozen, and an open stream
holds them. Arbitrary names sent by clients take 32 KiB at most."""


NO_PATH = "/*"
"""The path of a target without one (`*`, `?x`, `http://[`). No route can have it: mcp.json's paths must consist of
letters, digits and a few marks."""


def request_path(scope: Mapping[str, Any]) -> str:
    """The path of the request, without the server's root path."""
    path = target_path(scope["path"])
    root: str = scope.get("root_path", "")
    if root and (root := root.rstrip("/")):
        below = _below(path, root)
        # Starlette: what stood before its outermost mount, which a proxy may have taken off the path (FastAPI's own
        # `root_path`).
        return below or _below(path, root.removeprefix(scope.get("app_root_path", "").rstrip("/"))) or NO_PATH
    return path


def _below(path: str, root: str) -> str:
    """What of the path stands below the root; empty if it is not below it."""
    below = path.removeprefix(root)
    return below if below != path and below.startswith("/") else ""


def target_path(target: str) -> str:
    """The path of a request target (RFC 9112, 3.2). It begins with a slash."""
    if target.startswith("/"):
        return target
    parts = _absolute_form(target)
    return NO_PATH if parts is None else parts.path or "/"


def target_authority(target: str) -> str | None:
    """The authority of a target that is a whole URL, which takes the place of the Host field (RFC 9112, 3.2.2). Our own
    server has put it there before."""
    parts = None if target.startswith("/") else _absolute_form(target)
    return None if parts is None else parts.netloc


def _absolute_form(target: str) -> SplitResult | None:
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return parts if parts.scheme and parts.netloc else None


def build_request(scope: Mapping[str, Any], path: str, headers: Mapping[str, str], body: bytes) -> Request:
    """The `Request` of an ASGI `scope`; `path` is the `request_path` of it.

    The method is as the server passes it. (Hypercorn converts it to upper case, although `get` is not GET: RFC 9110,
    9.1.)
    """
    return Request(
        method=scope["method"],
        path=path,
        query=scope["query_string"],
        headers=headers,
        body=body,
        peer=(scope.get("client") or (LOCAL_PEER,))[0],
        scheme=scope["scheme"],
        server=_server(scope.get("server")),
        http_version=scope["http_version"],
        root_path=scope.get("root_path", ""),
        certificate=_certificate(scope),
    )


def note_client(scope: Mapping[str, Any], request: Request) -> None:
    """Put the client for whom a trusted proxy spoke into the server's scope: its access log names it."""
    if request.peer != (scope.get("client") or (LOCAL_PEER,))[0] and isinstance(scope, MutableMapping):
        scope["client"] = (request.peer, 0)


def has_content_length(answer: Answer, method: str) -> bool:
    """Whether the answer's head has a Content-Length: not if there is no body (RFC 9110, 8.6), and not for a stream."""
    return isinstance(answer.body, bytes) and method != "HEAD" and answer.status not in {204, 304}


def request_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The request's header fields: names in lower case, a repeated field's values joined (RFC 9110, 5.3), and the host
    that is meant."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = (_cached_name if len(raw_name) <= _CACHED_NAME_BYTES else _name)(raw_name)
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not scope["path"].startswith("/") and (authority := target_authority(scope["path"])) is not None:
        headers["host"] = authority
    return headers


def _name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


_cached_name = lru_cache(maxsize=_CACHED_NAMES)(_name)


def _certificate(scope: Mapping[str, Any]) -> str | None:
    """The client's own, where TLS has verified it (ASGI's TLS extension)."""
    tls = scope.get("extensions", _NOTHING).get("tls")
    if not tls or tls.get("client_cert_error"):
        return None
    return next(iter(tls.get("client_cert_chain") or ()), None)


def _server(server: tuple[str, int | None] | None) -> tuple[str, int]:
    """The local address of the connection. A Unix socket has a path and no port: its client is on this machine."""
    host, port = server or ("", None)
    return (host, port) if port else ("localhost", 0)
