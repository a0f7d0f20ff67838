"""HTTP/2: an application that fails after its response has started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from defects import Provoking, eventually
from h2.errors import ErrorCodes
from hypercorn.protocol.h2 import H2Protocol
from live_server import client_tls, serving
from raw_h2 import raw_h2

from mcp_app.server.engine import http2_sending


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[H2Protocol]:
    """The server's side of each connection, to see what it keeps."""
    seen: list[H2Protocol] = []
    initiate = H2Protocol.initiate

    async def remember(self: H2Protocol, *args: Any) -> None:
        seen.append(self)
        await initiate(self, *args)

    monkeypatch.setattr(H2Protocol, "initiate", remember)
    return seen


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "hypercorn.error")  # the traceback of the application is expected here


async def test_what_was_said_arrives_then_the_stream_is_reset(protocols: list[H2Protocol]) -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        for _ in range(10):
            dying = await client.request("/die")
            await client.until(lambda dying=dying: client.reset_code(dying) is not None)
            assert client.reset_code(dying) == ErrorCodes.INTERNAL_ERROR
            assert client.body(dying) == b"the last words"
            assert not client.is_ended(dying)
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen)
        assert set(protocols[0].stream_buffers) == {ticking}, "no buffer is left behind"


@pytest.mark.parametrize(
    "error",
    [GeneratorExit(), BaseExceptionGroup("two", [GeneratorExit()]), SystemExit(1), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("begun", [False, True])
async def test_whatever_it_raises_the_other_streams_go_on(error: BaseException, begun: bool) -> None:
    class Deadly(Provoking):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope.get("path") != "/die":
                await super().__call__(scope, receive, send)
                return
            if begun:
                await self._open(send)
            raise error

    async with serving(Deadly()) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        await client.until(lambda: client.body(ticking))
        dying = await client.request("/die")
        if begun:
            await client.until(lambda: client.reset_code(dying) is not None)
            assert client.reset_code(dying) == ErrorCodes.INTERNAL_ERROR
        else:
            await client.until(lambda: client.is_ended(dying))
            assert client.status(dying) == 500
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen)


async def test_behind_a_shut_window_the_reset_waits_for_the_data(protocols: list[H2Protocol]) -> None:
    class Verbose(Provoking):
        async def die(self, receive: Any, send: Any) -> None:
            await self._open(send)
            await send({"type": "http.response.body", "body": bytes(65535), "more_body": True})
            await send({"type": "http.response.body", "body": b"the last words", "more_body": True})
            raise RuntimeError("a defect in the application")

    app = Verbose()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        dying = await client.request("/die")
        await client.until(lambda: len(client.body(dying)) == 65535, acknowledge=False)
        await eventually(lambda: not app.running["die"])
        assert client.reset_code(dying) is None
        client.h2.increment_flow_control_window(1000)
        client.h2.increment_flow_control_window(1000, dying)
        await client.flush()
        await client.until(lambda: client.reset_code(dying) is not None)
        assert client.body(dying).endswith(b"the last words")
        assert not protocols[0].stream_buffers


async def test_behind_a_window_that_stays_shut_it_is_reset_all_the_same(
    protocols: list[H2Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that was given up, as at the cap, waits no longer: nor may its stream take another's place."""

    class Patient(Provoking):
        async def fill(self, receive: Any, send: Any) -> None:
            await self._open(send)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await send({"type": "http.response.body", "body": bytes(200_000), "more_body": self.more})

        more = True

    monkeypatch.setattr(http2_sending, "UNREAD_SECONDS", 0.2)
    app = Patient()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        for app.more in (True, False):
            filled = await client.request("/fill")
            await client.until(lambda filled=filled: client.reset_code(filled) is not None, acknowledge=False)
            assert client.reset_code(filled) == ErrorCodes.INTERNAL_ERROR
            assert not protocols[0].stream_buffers
        assert not client.ended


async def test_an_app_that_just_returns_is_told_apart_from_one_that_ends_its_answer() -> None:
    class Forgetful(Provoking):
        async def forget(self, receive: Any, send: Any) -> None:
            await self._open(send)

    async with serving(Forgetful()) as server, raw_h2(server.tls_port, client_tls()) as client:
        forgotten = await client.request("/forget")
        await client.until(lambda: client.reset_code(forgotten) is not None)
        assert client.reset_code(forgotten) == ErrorCodes.INTERNAL_ERROR
        good = await client.request("/hello")
        await client.until(lambda: client.is_ended(good))
        assert client.reset_code(good) is None


async def test_the_defect_as_released(protocols: list[H2Protocol]) -> None:
    async with serving(Provoking(), released=True) as server, raw_h2(server.tls_port, client_tls()) as client:
        dying = await client.request("/die")
        await client.until(lambda: client.body(dying))
        await client.read_for(1.0)
        assert not client.is_ended(dying)
        assert client.reset_code(dying) is None, "the client waits for ever"
        assert dying in protocols[0].stream_buffers, "and its buffer stays"
