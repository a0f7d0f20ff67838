"""What the scan's tests scan: a DNS server, a TLS web server and an authority, all on loopback. And a PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from authority import Authority, Pair
from dns_world import DnsWorld
from postgres_server import PostgresServer
from postgres_shop import SHOP, Watched, opened
from scan_world import DOMAIN, World, good_site, good_zone
from web_world import Site, hypercorn, listening

from mcp_app.builtin.query_database.database import Database


@pytest.fixture(autouse=True)
async def executor_ends() -> AsyncIterator[None]:
    """The loop's own threads end with the loop, which outlives the check for threads that were left."""
    yield
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue(DOMAIN, f"*.{DOMAIN}")


@pytest.fixture
async def dns_world() -> AsyncIterator[DnsWorld]:
    world = DnsWorld()
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


@pytest.fixture
async def quiet_world(dns_world: DnsWorld, authority: Authority) -> AsyncIterator[World]:
    """A good zone, and nothing that listens on the web's ports: for tests that bring their own server."""
    good_zone(dns_world)
    # Bound but not listening: connections are refused, nobody else gets the port, and the test's own server may.
    with listening() as http, listening() as https:
        yield World(dns_world, Site(), authority, http.getsockname()[1], https.getsockname()[1])


@pytest.fixture
async def world(dns_world: DnsWorld, authority: Authority, pair: Pair) -> AsyncIterator[World]:
    """A site in perfect order."""
    good_zone(dns_world)
    http, https = listening(), listening()
    made = World(dns_world, Site(), authority, http.getsockname()[1], https.getsockname()[1])
    good_site(made.site, made.https_port)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(hypercorn(made.site, None, http))
        await stack.enter_async_context(hypercorn(made.site, pair, https))
        yield made


@pytest.fixture(scope="session")
def postgres(program: Callable[[str], str]) -> Iterator[PostgresServer]:
    """A PostgreSQL server with the shop in it; a test that stops it starts it again."""
    server = PostgresServer(program("postgres"))
    try:
        server.sql(SHOP, "postgres")
        yield server
    finally:
        server.remove()


@pytest.fixture
async def shop(postgres: PostgresServer) -> AsyncIterator[Database]:
    """The shop, opened by a role that may only read."""
    async with opened(postgres) as database:
        yield database


@pytest.fixture
def watched(postgres: PostgresServer) -> Watched:
    """What the server does for the tool."""
    return Watched(postgres)
