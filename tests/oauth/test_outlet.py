"""Requests to an issuer: what each is bounded in."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest
from oauth_tokens import ISSUER, Web

from mcp_app.auth.oauth import outlet as module
from mcp_app.auth.oauth.outlet import MAX_ANSWER_BYTES, FetchFailed, Outlet

URL = f"{ISSUER}/document"


async def fetched(answer: Any) -> tuple[dict[str, Any], Web]:
    web = Web({URL: answer, f"{ISSUER}/elsewhere": {"found": True}})
    outlet = Outlet(web.transport)
    try:
        return await outlet.get(URL), web
    finally:
        await outlet.close()


async def test_an_object_is_what_is_asked_for() -> None:
    found, web = await fetched({"a": 1})
    assert found == {"a": 1}
    assert web.asked == [URL]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_it_goes_nowhere_else(status: int) -> None:
    with pytest.raises(FetchFailed, match=f"status {status}"):
        await fetched((status, {"location": f"{ISSUER}/elsewhere"}, b""))


async def test_what_is_compressed_is_not_unpacked() -> None:
    small = gzip.compress(json.dumps({"a": "a" * 1_000_000}).encode())
    assert len(small) < MAX_ANSWER_BYTES
    with pytest.raises(FetchFailed, match="compressed"):
        await fetched((200, {"content-encoding": "gzip"}, small))


async def test_it_asks_for_what_is_not_compressed() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> dict[str, Any]:
        seen.append(request.headers)
        return {}

    await fetched(answer)
    assert seen[0]["accept-encoding"] == "identity"
    assert "authorization" not in seen[0]


async def test_the_largest_answer() -> None:
    body = json.dumps({"a": ""}).encode()
    largest = body.ljust(MAX_ANSWER_BYTES)
    assert (await fetched((200, {}, largest)))[0] == {"a": ""}
    with pytest.raises(FetchFailed, match="more than"):
        await fetched((200, {}, largest + b" "))


async def test_an_answer_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.01)

    async def never(request: httpx.Request) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        with pytest.raises(FetchFailed, match="did not answer"):
            await fetched(lambda request: never(request))
