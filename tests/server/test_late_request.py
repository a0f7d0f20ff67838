"""HTTP/2: requests that come while the server stops."""

from __future__ import annotations

import asyncio

from defects import Provoking
from h2.errors import ErrorCodes
from live_server import LiveServer, client_tls, serving
from raw_h2 import raw_h2


async def stops_listening(server: LiveServer) -> None:
    """From then on it takes no new request. The TLS port is shut first; as released on Python 3.12 and later the other
    one only when nobody is connected any more."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(server.host, server.tls_port)
            except OSError:
                return
            writer.transport.abort()
            await asyncio.sleep(0.01)


async def refused_beside_a_stream(*, released: bool) -> int | None:
    """A POST on a connection whose server stops, with a stream open on it: the code it is reset with."""
    app = Provoking()
    async with (
        serving(app, graceful_timeout=2, released=released) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        open_stream = await client.request("/stubborn")
        await client.until(lambda: client.body(open_stream))
        server.stop.set()
        await stops_listening(server)
        late = await client.request("/echo", "POST", end=False)
        if not released:  # DATA of such a stream is another defect: see test_late_data.py
            client.h2.send_data(late, b"x" * 1000)
            await client.flush()
        await client.until(lambda: client.reset_code(late) is not None)
        assert client.status(late) is None
        assert "echo" not in app.running
        seen = len(client.body(open_stream))
        await client.until(lambda: len(client.body(open_stream)) > seen)
        assert client.h2.remote_settings.max_concurrent_streams == 0
        return client.reset_code(late)


async def test_it_is_refused_as_safe_to_retry() -> None:
    assert await refused_beside_a_stream(released=False) == ErrorCodes.REFUSED_STREAM


async def test_the_defect_as_released() -> None:
    assert await refused_beside_a_stream(released=True) == ErrorCodes.NO_ERROR
