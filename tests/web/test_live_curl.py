"""curl itself, with the command line of the tutorial."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import pytest
from live_server import LiveServer
from web_direct import EVENTS
from web_play import SECONDS, Play
from web_wire import Wire


@pytest.mark.needs("curl")
@pytest.mark.parametrize("options", [(), ("--http2", "-k")])
async def test_the_tutorials_command_line_streams(
    server: LiveServer, play: Play, program: Callable[[str], str], options: tuple[str, ...]
) -> None:
    url = f"{server.tls_url if options else server.url}{EVENTS}"
    # fmt: off
    curl = await asyncio.create_subprocess_exec(
        program("curl"), "-N", "-X", "POST", url, "-H", "Content-Type: application/json",
        "-d", '{"tool": "walk", "params": {"count": 3}}', "-s", "-S",
        "-w", "HTTP/%{http_version} %{http_code}", *options, stdout=asyncio.subprocess.PIPE,
    )
    # fmt: on
    assert curl.stdout is not None
    try:
        wire = Wire()
        async with asyncio.timeout(SECONDS):
            for events in (1, 2, 3):
                while len(wire.events) < events:
                    wire.feed(await curl.stdout.readline())
                play.step()
                assert len(wire.events) == events, "events come as they happen"
            rest = await curl.stdout.read()
            assert rest.endswith(b"HTTP/2 200" if options else b"HTTP/1.1 200")
            assert await curl.wait() == 0
        wire.feed(rest)
        assert wire.kinds == ["started", "progress", "progress", "progress", "complete"]
    finally:
        await end(curl)


@pytest.mark.needs("curl")
@pytest.mark.parametrize("options", [(), ("--http2", "-k")])
async def test_ctrl_c_stops_the_tool_at_once(
    server: LiveServer, play: Play, program: Callable[[str], str], options: tuple[str, ...]
) -> None:
    url = f"{server.tls_url if options else server.url}{EVENTS}"
    curl = await asyncio.create_subprocess_exec(
        *(program("curl"), "-s", "-N", "-X", "POST", url, "-H", "Content-Type: application/json"),
        *("-d", '{"tool": "wait"}', *options),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.wait_for(play.begun.wait(), SECONDS)
        curl.send_signal(signal.SIGINT)
        await play.over()
        assert play.reasons == ["left"]
    finally:
        await end(curl)


async def end(child: asyncio.subprocess.Process) -> None:
    """Whatever the test has left of it."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.wait_for(child.wait(), SECONDS)
