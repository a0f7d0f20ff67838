"""`Expect: 100-continue` over HTTP/2: 100 to whoever waits for it, and nothing before a response that needs no body."""

from __future__ import annotations

from typing import Any

import pytest
from defects import Provoking
from h2.events import InformationalResponseReceived
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2

CONTINUE = {"expect": "100-continue"}


def informed(client: RawH2, number: int) -> list[str]:
    return [
        dict(event.headers)[":status"]
        for event in client.events
        if isinstance(event, InformationalResponseReceived) and event.stream_id == number
    ]


@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "prior knowledge"])
async def test_a_client_that_waits_is_told_to_go_on(value: str, tls: bool) -> None:
    """RFC 9110, 10.1.1: a MUST, unless the head decides."""
    async with (
        serving(Provoking()) as server,
        raw_h2(server.tls_port if tls else server.port, client_tls() if tls else None) as client,
    ):
        number = await client.request("/echo", "POST", end=False, expect=value)
        await client.until(lambda: informed(client, number))
        client.h2.send_data(number, b"body", end_stream=True)
        await client.flush()
        await client.until(lambda: client.is_ended(number))
        assert (client.status(number), client.body(number), informed(client, number)) == (200, b"body", ["100"])


async def test_an_application_that_responds_by_the_head_does_so_alone() -> None:
    class Prompt(Provoking):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await (
                self.early(receive, send) if scope.get("path") == "/early" else super().__call__(scope, receive, send)
            )

    async with serving(Prompt()) as server, raw_h2(server.tls_port, client_tls()) as client:
        number = await client.request("/early", "POST", end=False, **CONTINUE)
        await client.until(lambda: client.is_ended(number))
        assert (client.status(number), informed(client, number)) == (401, [])


async def test_a_client_that_does_not_wait_is_told_nothing() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for fields, body in ((CONTINUE, b"body"), ({}, b"body"), (CONTINUE, None), ({"expect": "tea"}, b"body")):
            number: Any = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, client.headers("/echo", "POST", **fields), end_stream=body is None)
            if body is not None:
                client.h2.send_data(number, body, end_stream=True)
            await client.flush()
            await client.until(lambda number=number: client.is_ended(number))
            assert (client.status(number), informed(client, number)) == (200, [])


async def test_the_defect_as_released() -> None:
    async with serving(Provoking(), released=True) as server, raw_h2(server.tls_port, client_tls()) as client:
        number = await client.request("/echo", "POST", end=False, **CONTINUE)
        await client.read_for(1.0)
        assert informed(client, number) == []
