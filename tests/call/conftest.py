"""A server that speaks the plain dialect, and misbehaves on request."""

from collections.abc import AsyncIterator

import pytest
from live_server import LiveServer, serving
from wire_app import Wire

from mcp_app.server.fixes import install


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def server(wire: Wire) -> AsyncIterator[LiveServer]:
    install()  # as released, Hypercorn leaves an HTTP/2 stream open when the application dies
    async with serving(wire) as live:
        yield live
