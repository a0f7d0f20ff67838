"""One GET of a URL that somebody else chose: bounded in time, bytes and redirects. Nothing is connected to here."""

from __future__ import annotations

import asyncio
import codecs
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from .bodies import read_at_most
from .clients import client
from .rules import Rules
from .unreachable import Unreachable

MAX_BYTES = 1024 * 1024
"""Of a body, as it comes and inflated: without it an endless file would fill the memory."""

MAX_SECONDS = 10.0
"""For all of it, redirects included: far below the cap of a stream."""

MAX_REDIRECTS = 5
"""Sites need two or three: to https, to www, to a language."""

MAX_URL_CHARS = 8000
"""RFC 9110, 4.1 recommends support for that many."""

_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
"""Codecs of Python's that no page is written in ("Python Specific Encodings"), and one that browsers refuse: whoever
answers chooses the name, and some of them raise, or take the square of the body's length."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to a `fetch`, of whatever status."""

    url: str
    """The last of the redirects."""
    status: int
    headers: httpx.Headers
    body: bytes
    """Inflated."""

    @property
    def text(self) -> str:
        """The body as text: by the charset of its Content-Type, else UTF-8; what is invalid becomes U+FFFD."""
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2].partition(";")[0].strip(' "')
        try:
            codec = codecs.lookup(charset or "utf-8").name
            return self.body.decode("utf-8" if codec in _NO_CHARSETS else codec, "replace")
        except (LookupError, ValueError):  # no such name, one with NUL, or no codec for text
            return self.body.decode("utf-8", "replace")


async def fetch(
    url: str,
    *,
    rules: Rules | None = None,
    headers: Mapping[str, str] | None = None,
    verify: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
    max_redirects: int = MAX_REDIRECTS,
) -> Fetched:
    """GET a URL, and follow its redirects, each of which keeps to the rules.

    `headers` go to the first origin only, where they could be credentials. Raises `Unreachable`, whose `reason` says
    why there is no whole answer. A status of 4xx or 5xx is an answer.
    """
    try:
        async with asyncio.timeout(max_seconds), client(rules, verify=verify, timeout=None) as sending:
            request = _request(sending, url, {"Accept-Encoding": "gzip, deflate", **(headers or {})})
            for _ in range(max_redirects + 1):
                answer = await sending.send(request, stream=True, follow_redirects=False)
                try:
                    if answer.next_request is None:
                        return await _read(answer, max_bytes)
                finally:
                    await answer.aclose()
                request = _followed(sending, request, answer.next_request, headers or {})
    except (TimeoutError, httpx.TimeoutException) as exc:
        raise Unreachable("timed_out", "the URL was not answered in time") from exc
    except httpx.ConnectError as exc:
        raise Unreachable("tls", "the TLS handshake failed") from exc
    except (httpx.NetworkError, OSError) as exc:
        raise Unreachable("no_connection", "the connection broke") from exc
    except (httpx.ProtocolError, httpx.InvalidURL, UnicodeError, zlib.error) as exc:  # the middle two: of its Location
        raise Unreachable("protocol", "the answer is not valid HTTP") from exc
    raise Unreachable("too_many_redirects", f"there are more than {max_redirects} redirects")


def _request(sending: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> httpx.Request:
    if len(url) > MAX_URL_CHARS:
        raise Unreachable("refused_url", f"the URL has more than {MAX_URL_CHARS} characters")
    try:
        parts = httpx.URL(url)
        host = parts.host  # decoded here, by IDNA
    except (httpx.InvalidURL, ValueError) as exc:
        raise Unreachable("refused_url", "this is not a URL") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable("refused_url", "the URL is not one of http:// or https://")
    if parts.userinfo:
        raise Unreachable("refused_url", "the URL has a user name")  # which would be sent as credentials
    return sending.build_request("GET", parts, headers=headers)


def _followed(
    sending: httpx.AsyncClient, request: httpx.Request, following: httpx.Request, headers: Mapping[str, str]
) -> httpx.Request:
    """The request that a redirect asks for: without the caller's own header fields at another origin."""
    same = _origin(request.url) == _origin(following.url)
    own = {name.lower() for name in headers}
    kept = {name: value for name, value in following.headers.items() if same or name not in own}
    kept.pop("host", None)
    if "accept-encoding" not in kept:
        kept["accept-encoding"] = "gzip, deflate"
    return _request(sending, str(following.url), kept)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _read(answer: httpx.Response, max_bytes: int) -> Fetched:
    body, more = await read_at_most(answer.aiter_raw(), answer.headers.get("content-encoding", ""), max_bytes)
    if more:
        raise Unreachable("too_large", f"the answer has more than {max_bytes} bytes")
    return Fetched(str(answer.url), answer.status_code, answer.headers, body)
