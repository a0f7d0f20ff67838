"""A server that speaks the plain dialect, and misbehaves on request."""

from collections.abc import AsyncIterator

import pytest
from live_server import LiveServer, serving
from wire_app import Wire


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def server(wire: Wire) -> AsyncIterator[LiveServer]:
    async with serving(wire) as live:
        yield live
