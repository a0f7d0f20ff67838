"""HTTP/2: requests that come while the server stops."""

from __future__ import annotations

from collections.abc import Callable

from defects import Provoking, eventually
from h2.errors import ErrorCodes
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2


class Stopping(Provoking):
    """Says when its server has begun to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self.on_start = self.watch

    def watch(self) -> None:
        self.on_draining(self.begin)

    def begin(self) -> None:
        self.stopping = True


async def refused_beside_a_stream(client: RawH2, app: Stopping, stop: Callable[[], None]) -> int | None:
    """A POST on a connection whose server stops, with a stream open on it: the code it is reset with."""
    open_stream = await client.request("/stubborn")
    await client.until(lambda: client.body(open_stream))
    stop()
    await eventually(lambda: app.stopping)
    late = await client.request("/echo", "POST", end=False)
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
    app = Stopping()
    async with serving(app, graceful_timeout=2) as server, raw_h2(server.tls_port, client_tls()) as client:
        assert await refused_beside_a_stream(client, app, server.stop.set) == ErrorCodes.REFUSED_STREAM


async def test_the_defect_as_released() -> None:
    app = Stopping()
    async with (
        serving(app, graceful_timeout=2, released=True) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        assert await refused_beside_a_stream(client, app, server.stop.set) == ErrorCodes.NO_ERROR
