"""Serving in a loop: start, announcement, refusal to start."""

from __future__ import annotations

import _socket
import asyncio
import errno
import gc
import socket
import warnings
from typing import Any

import pytest
from defects import Provoking
from hypercorn.config import Config, Sockets
from live_server import loopback_config, serving

from mcp_app.server import binding
from mcp_app.server.addresses import urls
from mcp_app.server.errors import StartError
from mcp_app.server.forced_exit import shutdown_seconds
from mcp_app.server.run import loop_factory, serve_async


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no event log there"})


async def test_an_application_that_refuses_to_start_is_a_start_error() -> None:
    config = loopback_config()
    sockets = binding.bind(config)
    ready: list[list[str]] = []
    try:
        with pytest.raises(StartError, match=r"the application did not start: .*no event log there"):
            await serve_async(refuses, config, sockets, shutdown=asyncio.Event().wait, on_ready=ready.append)
    finally:
        binding.close(sockets)
    assert not ready


async def test_it_is_announced_once_with_the_real_ports_when_all_addresses_listen() -> None:
    config = loopback_config(insecure_bind=["127.0.0.1:0", "127.0.0.1:0"])
    sockets = binding.bind(config)
    announced: list[list[str]] = []
    expected = [f"https://127.0.0.1:{sockets.secure_sockets[0].getsockname()[1]}"]
    expected += [f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in sockets.insecure_sockets]
    stop = asyncio.Event()

    def on_ready(found: list[str]) -> None:
        for sock in (*sockets.secure_sockets, *sockets.insecure_sockets):
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        announced.append(found)
        stop.set()

    try:
        async with asyncio.timeout(30):
            await serve_async(Provoking(), config, sockets, shutdown=stop.wait, on_ready=on_ready)
    finally:
        binding.close(sockets)
    assert announced == [expected]


def refusal(config: Config) -> str:
    """Why it cannot be bound. Hypercorn leaves such a socket to the garbage collector: good enough for a process that
    ends with this message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            binding.close(binding.bind(config))
        except StartError as error:
            message = str(error)
        else:
            raise AssertionError("it was bound")
        gc.collect()
    return message


def test_addresses_are_bound_all_or_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, busy = free.getsockname()[1], taken.getsockname()[1]
        free.close()
        message = refusal(loopback_config(bind=[f"127.0.0.1:{port}"], insecure_bind=[f"127.0.0.1:{busy}"]))
        assert message.startswith(f"cannot listen on 127.0.0.1:{busy}: ")
        binding.close(binding.bind(loopback_config(bind=[f"127.0.0.1:{port}"])))


@pytest.mark.parametrize("address", ["no-such-host.invalid:0", "127.0.0.1:99999", "x" * 300 + ":1", "127.0.0.1:-1"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    assert refusal(loopback_config(bind=[address])).startswith(f"cannot listen on {address}: ")


@pytest.mark.needs("ipv6")
def test_urls_are_written_so_that_they_can_be_pasted() -> None:
    config = Config.from_mapping(bind=["[::1]:0", "0.0.0.0:0", "127.0.0.2:0"])
    sockets = binding.bind(config)
    one, two, three = (sock.getsockname()[1] for sock in sockets.insecure_sockets)
    try:
        assert urls(sockets) == [f"http://[::1]:{one}", f"http://127.0.0.1:{two}", f"http://127.0.0.2:{three}"]
    finally:
        binding.close(sockets)


@pytest.mark.needs("ipv6")
def test_localhost_is_both_families_at_one_port() -> None:
    config = loopback_config(bind=["localhost:0"], insecure_bind=["localhost:0", "localhost:0"])
    sockets = binding.bind(config)
    try:
        hosts = [sock.getsockname()[0] for sock in (*sockets.secure_sockets, *sockets.insecure_sockets)]
        assert hosts == ["127.0.0.1", "::1"] * 3
        ports = [sock.getsockname()[1] for sock in (*sockets.secure_sockets, *sockets.insecure_sockets)]
        assert ports[::2] == ports[1::2]
        assert urls(sockets) == [
            f"https://localhost:{ports[0]}", f"http://localhost:{ports[2]}", f"http://localhost:{ports[4]}",
        ]  # fmt: skip
    finally:
        binding.close(sockets)


@pytest.mark.needs("ipv6")
def test_localhost_is_refused_where_somebody_has_one_of_its_families() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        message = refusal(loopback_config(bind=[f"localhost:{port}"]))
        assert message.startswith(f"cannot listen on [::1]:{port}: Address already in use")
        with socket.create_server(("127.0.0.1", port)):
            pass  # it is not left bound


def test_localhost_without_ipv6_is_127_0_0_1_and_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "bind", _bind_without_ipv6)
    sockets = binding.bind(loopback_config(bind=["localhost:0"], insecure_bind=["localhost:0"]))
    one, two = (sock.getsockname()[1] for sock in (*sockets.secure_sockets, *sockets.insecure_sockets))
    try:
        assert urls(sockets) == [f"https://127.0.0.1:{one}", f"http://127.0.0.1:{two}"]
    finally:
        binding.close(sockets)


def _bind_without_ipv6(sock: socket.socket, address: Any) -> None:
    if sock.family == socket.AF_INET6:
        sock.close()  # Hypercorn leaves it to the garbage collector
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
    _socket.socket.bind(sock, address)


@pytest.mark.needs("ipv6")
@pytest.mark.parametrize(("v6_only", "expected"), [(0, "localhost"), (1, "[::1]")])
def test_all_addresses_are_named_by_the_loopback_that_they_have(v6_only: int, expected: str) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        sock.bind(("::", 0))
        assert urls(Sockets([], [sock], [])) == [f"http://{expected}:{sock.getsockname()[1]}"]


def test_an_unknown_loop_is_refused() -> None:
    with pytest.raises(StartError, match="worker_class 'trio' is not served"):
        loop_factory(Config.from_mapping(worker_class="trio"))


def test_the_last_resort_comes_after_every_orderly_step() -> None:
    config = loopback_config(graceful_timeout=5, shutdown_timeout=8)
    assert shutdown_seconds(config) > 2 * 5 + 8


async def test_the_live_server_of_the_tests_stops_with_its_block() -> None:
    async with serving(Provoking()) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(server.host, server.port)
