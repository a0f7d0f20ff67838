"""httpx's client, over connections that the rules have checked. Nothing is requested, and no answer read, here."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

import h2.exceptions
import httpcore
import httpx

from .dialing import CheckedBackend
from .resolution import Lookup
from .rules import Rules

OURS = frozenset({"transport", "mounts", "proxy", "trust_env", "http1", "http2", "cert", "limits", "verify"})
"""What httpx's client takes and would lead past the rules, or is told to the transport."""

MAX_CONNECTIONS = 20
KEPT_ALIVE_SECONDS = 5.0
"""As httpx's own default; a stranger's server does not hold descriptors of ours for longer."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """What `client` sends by. Raises Unreachable for what the rules refuse, and httpx's errors for the rest."""

    def __init__(self, rules: Rules, context: ssl.SSLContext, *, http2: bool) -> None:
        self._backend = CheckedBackend(Lookup(rules))
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            http2=http2,
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEPT_ALIVE_SECONDS,
            network_backend=self._backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("the content of a request is to be asynchronous")
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors(request):
            answer = await self._pool.handle_async_request(sent)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_CheckedBody(answer, request),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        with contextlib.suppress(httpcore.NetworkError, OSError):
            await self._pool.aclose()
        await self._backend.aclose()


class _CheckedBody(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors(self._request):
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextlib.contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors as httpx's of the same names, and those of h2 that it lets through amid a body."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as exc:
        told: type[httpx.TransportError] = getattr(httpx, type(exc).__name__)
        raise told(str(exc), request=request) from exc
    except h2.exceptions.ProtocolError as exc:
        raise httpx.RemoteProtocolError(str(exc), request=request) from exc
    except httpcore.UnsupportedProtocol as exc:
        raise httpx.UnsupportedProtocol(str(exc), request=request) from exc


@lru_cache(maxsize=2)
def default_context(*, http2: bool) -> ssl.SSLContext:
    """The system's roots, or certifi's where it has none. Kept, as it takes 20 ms of the loop to read them.

    httpcore sets ALPN on the context that it is given: hence one for each set of versions.
    """
    context = ssl.create_default_context()
    if context.cert_store_stats()["x509_ca"] == 0:
        import certifi

        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context


def client(
    rules: Rules | None = None, *, verify: ssl.SSLContext | None = None, http2: bool = True, **options: Any
) -> httpx.AsyncClient:
    """An `httpx.AsyncClient` whose connections all keep to the rules: those of redirects, too, whoever chose the URL.

    `verify` is a TLS context of one's own; `options` are httpx's. Proxies and .netrc of the environment are not used.
    Raises TypeError for options that would lead past the rules. Its requests raise `Unreachable` for what the rules
    refuse, for names without an address, and where nobody answers at any; after that, httpx's own errors.
    """
    if past := sorted(OURS & options.keys()):
        raise TypeError(f"outgoing.client() takes no {past[0]}=: it would lead past the rules")
    context = default_context(http2=http2) if verify is None else verify
    transport = CheckedTransport(rules or Rules(), context, http2=http2)
    return httpx.AsyncClient(transport=transport, trust_env=False, **options)
