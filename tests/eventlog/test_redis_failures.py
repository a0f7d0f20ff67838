"""Redis is down, slow, restarted, full, loading, a replica, or cut off: a bounded wait, then it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY, SECONDS, SOON, events, numbers
from cut_proxy import proxying
from redis_scenes import again, begun, opened, until_true
from redis_servers import Server, in_step, replicated, server
from shared_contract import loop_time, read, record, renew, within

from mcp_app.eventlog.records import Ending
from mcp_app.eventlog.redis import link
from mcp_app.eventlog.shared import SharedLog
from mcp_app.protocol.errors import Gap, LogUnavailable, Purged, UnknownRun

pytestmark = pytest.mark.needs("redis-server")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "one") as one:
        yield one


async def test_a_restart_loses_nothing_and_everybody_goes_on(running: Server) -> None:
    async with opened(running.url) as log, opened(running.url) as other:
        run, node = await begun(log)
        waiting = asyncio.create_task(other.read(run, 3, loop_time() + SECONDS))
        mail = asyncio.create_task(log.receive(node, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        running.kill()
        for task in (waiting, mail):
            with pytest.raises(LogUnavailable):
                await within(task)
        for asked in (log.append(run, node, 4, events(1, first=3)), other.record(run), other.get("key/a"), log.join()):
            with pytest.raises(LogUnavailable) as caught:
                await within(asked)
            assert caught.value.headers == {"Retry-After": "1"}
            assert "127.0.0.1" not in str(caught.value)
        with pytest.raises(LogUnavailable):
            await renew(log, node)
        running.start()
        await again(log)
        await again(other)
        await renew(log, node)
        reading = asyncio.create_task(other.read(run, 3, loop_time() + SECONDS))
        await log.append(run, node, 4, events(1, first=3))
        assert numbers(await within(reading)) == [4]
        assert [entry.event for entry in await read(other, run)] == events(4)
        assert await log.nodes() == {node}


async def test_who_was_waiting_is_woken_by_the_next_event_after_a_restart(running: Server) -> None:
    """A reader asks again each time it is told that the log cannot be reached, and misses nothing."""

    async def follow(log: SharedLog, run: str) -> list[int]:
        seen: list[int] = []
        async with asyncio.timeout(2 * SECONDS):
            while not seen or seen[-1] < 6:
                try:
                    seen += numbers(await log.read(run, seen[-1] if seen else 0, loop_time() + SECONDS))
                except LogUnavailable:
                    await asyncio.sleep(0.05)
        return seen

    async with opened(running.url) as log, opened(running.url) as other:
        run, node = await begun(log)
        following = [asyncio.create_task(follow(other, run)) for _ in range(3)]
        await asyncio.sleep(SOON)
        running.kill()
        running.start()
        await again(log)
        for at in range(4, 7):
            await log.append(run, node, at, events(1, first=at - 1))
        assert [await each for each in following] == [[1, 2, 3, 4, 5, 6]] * 3


async def test_one_that_does_not_answer_is_given_up(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.3)
    async with opened(running.url) as log:
        run, node = await begun(log)
        running.stop()
        asked = [log.append(run, node, 4, events(1, first=3)), log.record(run), log.get("key/a")]
        done = await within(asyncio.gather(*asked, return_exceptions=True))
        assert [type(each) for each in done] == [LogUnavailable] * 3
        running.go_on()
        await again(log)
        # What was asked may have been done: it can be repeated.
        await log.append(run, node, 4, events(1, first=3))
        assert [entry.event for entry in await read(log, run)] == events(4)


async def test_a_cancelled_call_leaves_its_answer_to_nobody(running: Server) -> None:
    async with opened(running.url) as log:
        for at in range(50):
            await log.put(f"key/{at}", str(at).encode(), await log.now() + 100)
        asked = [asyncio.create_task(log.get(f"key/{at}")) for at in range(50)]
        await asyncio.sleep(0)
        for each in asked[::2]:
            each.cancel()
        done = await within(asyncio.gather(*asked, return_exceptions=True))
        values = [each.value for each in done if not isinstance(each, BaseException) and each is not None]
        assert values == [str(at).encode() for at in range(1, 50, 2)]


async def test_behind_a_proxy_that_cuts(running: Server) -> None:
    async with proxying(running.port) as between, opened(f"redis://127.0.0.1:{between.port}") as log:
        run, node = await begun(log)
        for at in range(4, 24):
            waiting = asyncio.create_task(log.read(run, at - 1, loop_time() + SECONDS))
            await asyncio.sleep(0)
            between.cut()
            await again(log)
            with contextlib.suppress(LogUnavailable):
                await within(waiting)
            async with asyncio.timeout(SECONDS):
                while True:
                    try:
                        await log.append(run, node, at, events(1, first=at - 1))
                        break
                    except LogUnavailable:
                        await asyncio.sleep(0.01)
        assert [entry.event for entry in await read(log, run)] == events(23)


async def test_a_full_memory_refuses_what_adds_and_nothing_else(running: Server) -> None:
    async with opened(running.url) as log:
        run, node = await begun(log)
        await log.put("key/a", b"x", await log.now() + 100)
        with running.client() as client:
            client.config_set("maxmemory", 1)
            for asked in (
                log.append(run, node, 4, events(2, first=3)),
                log.put("key/b", b"x", await log.now() + 100),
                log.create(record(node), PLENTY),
                log.send(node, b"x"),
                log.join(),
            ):
                with pytest.raises(LogUnavailable):
                    await within(asked)
            assert numbers(await read(log, run)) == [1, 2, 3]
            assert await log.get("key/a") is not None
            await renew(log, node)
            assert await log.nodes() == {node}
            client.config_set("maxmemory", 0)
        await log.append(run, node, 4, events(2, first=3))
        assert numbers(await read(log, run)) == [1, 2, 3, 4, 5]


async def test_a_primary_that_has_become_a_replica_is_left(running: Server, tmp_path: Path) -> None:
    with server(tmp_path / "two") as primary:
        async with opened(running.url) as log:
            run, node = await begun(log)
            with running.client() as client:
                client.replicaof("127.0.0.1", primary.port)
                with pytest.raises(LogUnavailable):
                    await within(log.append(run, node, 4, events(1, first=3)))
                with pytest.raises(LogUnavailable):
                    await within(log.now())
                client.replicaof("NO", "ONE")
            await again(log)


async def test_one_that_loads_its_data_is_waited_for(running: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(running.url) as log:
        run, node = await begun(log)
        with running.client() as client, client.pipeline(transaction=False) as filling:
            for at in range(5000):
                filling.set(f"filling:{at}", 1)
            filling.execute()
        running.options = {"key-load-delay": 300}  # microseconds for each; it answers after every thousandth
        running.kill()
        running.launch()
        await again(log)
        assert "is loading its data" in caplog.text
        await log.append(run, node, 4, events(1, first=3))


# --- what a failover has lost ----------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Server]]:
    with replicated(tmp_path) as servers:
        yield servers


def replica_takes_over(servers: list[Server]) -> None:
    """The primary is gone, and its port is the replica's now: as a name or a proxy does it."""
    servers[0].kill()
    with servers[1].client() as replica:
        replica.replicaof("NO", "ONE")


async def test_what_is_missing_is_appended_by_its_owner(pair: list[Server]) -> None:
    async with proxying(pair[0].port) as between, opened(f"redis://127.0.0.1:{between.port}") as log:
        run, node = await begun(log)
        in_step(pair)
        with pair[1].client() as replica:
            replica.replicaof("127.0.0.1", 1)  # a replica that hears nothing any more
        await log.append(run, node, 4, events(3, first=3))
        other = record(node)
        await log.create(other, PLENTY)
        waiting = asyncio.create_task(log.receive(node, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        replica_takes_over(pair)
        between.target = pair[1].port
        between.cut()
        with pytest.raises(LogUnavailable):  # by which its owner knows that it must compare
            await within(waiting)
        await again(log)
        with pytest.raises(Gap) as caught:
            await log.append(run, node, 7, events(1, first=6))
        assert caught.value.last == 3
        await log.append(run, node, 4, events(4, first=3))
        assert [entry.event for entry in await read(log, run)] == events(7)
        with pytest.raises(UnknownRun):
            await log.append(other.id, node, 1, events(1))
        await log.create(other, PLENTY)
        await log.append(other.id, node, 1, events(1))
        # Whoever takes over finds them, as the new primary was told what this node works on.
        await log.leave(node)
        taken = await log.take_over(await log.join(), 10)
        assert {each.id for each in taken} == {run, other.id}


async def test_where_owner_and_primary_die_together_readers_are_told_purged(pair: list[Server]) -> None:
    async with proxying(pair[0].port) as between:
        url = f"redis://127.0.0.1:{between.port}"
        async with opened(url) as log:
            run, node = await begun(log)
            in_step(pair)
            with pair[1].client() as replica:
                replica.replicaof("127.0.0.1", 1)
            await log.append(run, node, 4, events(3, first=3))
            assert numbers(await read(log, run, 3)) == [4, 5, 6]  # which somebody has seen
        replica_takes_over(pair)
        between.target = pair[1].port
        async with opened(url) as other:
            await other.leave(node)
            living = await other.join()
            (taken,) = await other.take_over(living, 10)
            assert taken.last > 6
            await other.append(run, living, taken.last + 1, events(2))
            for seen in (0, 3, 6):
                with pytest.raises(Purged):
                    await read(other, run, seen)
            assert [entry.event for entry in await read(other, run, taken.last)] == events(2)
            ending = Ending("interrupted", await other.now() + 100)
            await other.append(run, living, taken.last + 3, events(1), ending)
            assert (await other.record(run)).code == "interrupted"


async def test_a_restart_that_its_owner_has_seen_purges_nothing(running: Server) -> None:
    async with opened(running.url) as log:
        run, node = await begun(log)
        running.kill()
        running.start()
        await again(log)
        key = f"mcp_app:run:{{{run}}}"
        with running.client() as client:  # by itself the log confirms that all is there
            history = client.info("replication")["master_replid"].encode()

            async def confirmed() -> bool:
                return client.hget(key, "history") == history

            await until_true(confirmed)
        await log.leave(node)
        (taken,) = await log.take_over(await log.join(), 10)
        assert taken.last == 3
        assert numbers(await read(log, run)) == [1, 2, 3]


async def test_what_a_process_was_before_is_forgotten(running: Server) -> None:
    """A node that has lost its lease joins again as another one, again and again: nothing is left of those before."""
    async with opened(running.url) as log:
        for _ in range(3):
            _, node = await begun(log)
            await log.receive(node, 0)
            with running.client() as client:
                client.delete(f"mcp_app:node:{{{node}}}:lease")
        last = await log.join()
        assert (log._owned, log._compared, log._received) == ({}, {}, {})
        assert len(await log.take_over(last, 10)) == 3
        assert {owned.node for owned in log._owned.values()} == {last}
