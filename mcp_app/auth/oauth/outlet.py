"""Requests to an issuer: one JSON object each, bounded in bytes and seconds.

The addresses are the operator's, or stand in a document that the operator's issuer publishes: who calls chooses none.
What is asked for, and how often, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import httpx

from ...protocol.errors import InvalidRequest
from ...protocol.http.strict_json import loads

REQUEST_SECONDS = 4.0
"""For one request, its whole answer included: a caller waits for it."""
MAX_ANSWER_BYTES = 128 * 1024
"""Ten keys with their certificates are 30 KiB. What is read is parsed on the loop: a megabyte holds it for 20 ms."""


class FetchFailed(Exception):
    """An issuer did not give what it was asked for. The message is for the operator."""


class Outlet:
    """The connections to the issuers, which are kept for the next request."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` takes the place of the network, in tests."""
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    def open(self) -> httpx.AsyncClient:
        """The connections; certificates of authorities are read, which takes 20 ms, unless that was done."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                # Compressed, a small answer may become a large one.
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                follow_redirects=False,
                timeout=REQUEST_SECONDS,
                transport=self._transport,
            )
        return self._client

    async def get(self, url: str) -> dict[str, Any]:
        """The object at an address. Raises FetchFailed."""
        return await self._ask("GET", url)

    async def post(self, url: str, form: Mapping[str, str], client: tuple[str, str]) -> dict[str, Any]:
        """The object that is answered to a form; `client` are its id and its secret. Raises FetchFailed."""
        # RFC 6749, 2.3.1: each is encoded as in a form, before it is encoded again.
        return await self._ask("POST", url, data=dict(form), auth=httpx.BasicAuth(*map(quote_plus, client)))

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS), self.open().stream(method, url, **arguments) as response:
                return _object(url, response, await _body(url, response))
        except TimeoutError:
            raise FetchFailed(f"{url} did not answer within {REQUEST_SECONDS:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise FetchFailed(f"{url}: {type(error).__name__}: {str(error)[:200]}") from error


async def _body(url: str, response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FetchFailed(f"{url} answered compressed, though it was asked not to")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise FetchFailed(f"{url} answered with more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _object(url: str, response: httpx.Response, body: bytes) -> dict[str, Any]:
    if response.status_code != httpx.codes.OK:
        raise FetchFailed(f"{url} answered with status {response.status_code}")
    try:
        value = loads(body, "The answer")
    except InvalidRequest as error:
        raise FetchFailed(f"{url}: {error.message}") from None
    if not isinstance(value, dict):
        raise FetchFailed(f"{url} answered with JSON that is no object")
    return value
