"""Signals and readers that leave, with the output in a pipe: the run on the server ends with the command."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from command_line import SECONDS, piped
from live_server import LiveServer, serving
from wire_app import PATH, Wire


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_cancels_the_run(server: LiveServer, wire: Wire, number: signal.Signals, status: int) -> None:
    async with piped(server.tls_url + PATH, "slow", "--cacert", server.ca) as child:
        async with asyncio.timeout(SECONDS):
            assert child.stdout is not None
            assert (await child.stdout.readline()).startswith(b"started ")
            child.send_signal(number)
            out, err = await child.communicate()

    assert child.returncode == status
    assert wire.seen == ["working", "deleted"]
    assert out.decode().splitlines()[-1].startswith("error cancelled ")
    assert err.decode() == "mcp-app call: cancelled: the server has ended the run\n"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("flags", [[], ["--json"], ["--http1"]])
async def test_where_there_is_nothing_to_delete_the_connection_is_closed(
    wire: Wire, secure: bool, flags: list[str]
) -> None:
    wire.bare = True
    async with serving(wire) as server:
        where = [server.tls_url + PATH, "--cacert", server.ca] if secure else [server.url + PATH]
        async with piped(*where, "slow", *flags) as child:
            await wire.until("working")
            child.send_signal(signal.SIGINT)
            async with asyncio.timeout(SECONDS):
                _, err = await child.communicate()
            await wire.until("left")

    assert child.returncode == 130
    assert err.decode() == "mcp-app call: cancelled: the connection was closed, which ends the run\n"


@asynccontextmanager
async def flooding(server: LiveServer) -> AsyncIterator[tuple[asyncio.subprocess.Process, io.FileIO]]:
    """The command writing without end into a pipe, and the other end of it, from which one event has been read."""
    ours, theirs = os.pipe()
    with io.FileIO(ours) as reader:
        async with piped(server.url + PATH, "flood", stdout=theirs) as child:
            os.close(theirs)
            there = asyncio.Event()
            asyncio.get_running_loop().add_reader(reader, there.set)
            async with asyncio.timeout(SECONDS):
                await there.wait()
            asyncio.get_running_loop().remove_reader(reader)
            assert reader.read(8) == b"started "
            yield child, reader


async def test_a_reader_that_leaves_ends_the_run(server: LiveServer, wire: Wire) -> None:
    async with flooding(server) as (child, ours):
        ours.close()
        async with asyncio.timeout(SECONDS):
            _, err = await child.communicate()
        await wire.until("left")

    assert (child.returncode, err) == (141, b"")


async def test_a_second_signal_leaves_at_once_even_while_a_write_blocks(server: LiveServer, wire: Wire) -> None:
    async with flooding(server) as (child, _):
        async with asyncio.timeout(SECONDS):
            while child.returncode is None:  # more than two, because two at once can be one
                with suppress(ProcessLookupError):  # not child.send_signal, which may reap it before asyncio does
                    os.kill(child.pid, signal.SIGINT)
                await asyncio.sleep(0.2)
        await wire.until("left")

    assert child.returncode == 130
