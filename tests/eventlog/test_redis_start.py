"""What a start says of a Redis that cannot be used: one line, with the remedy."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY
from live_server import certificates
from redis_scenes import SECRET, begun, opened
from redis_servers import Server, ended, free_port, server
from shared_contract import read, record, renew, within

from mcp_app.eventlog.records import Ending
from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.redis.facts import parse_facts
from mcp_app.protocol.errors import LogRefused, LogUnavailable
from mcp_app.protocol.event import Event, EventType

pytestmark = pytest.mark.needs("redis-server")


async def refused(url: str) -> str:
    log = RedisLog(url, [SECRET])
    try:
        with pytest.raises(LogRefused) as caught:
            await within(log.open())
    finally:
        await log.close()
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "one") as one:
        yield one


async def test_nobody_is_there() -> None:
    port = free_port()
    for scheme, behind in (("redis", ""), ("rediss", ""), ("redis+sentinel", "/main"), ("redis+cluster", "")):
        said = await refused(f"{scheme}://u:s3cret@127.0.0.1:{port}{behind}")
        assert f"127.0.0.1:{port}" in said
        assert "cannot be reached" in said
        assert "Connect call failed" in said


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_one_that_drops_what_it_has_taken(running: Server, policy: str) -> None:
    with running.client() as client:
        client.config_set("maxmemory-policy", policy)
    said = await refused(running.url)
    assert f"maxmemory-policy is {policy}" in said
    assert "CONFIG SET maxmemory-policy noeviction" in said


@contextlib.asynccontextmanager
async def pretending(info: bytes) -> AsyncIterator[int]:
    """A server that answers INFO, and OK to all else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                words = []
                for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                writer.write(b"$%d\r\n%s\r\n" % (len(info), info) if words[0] == b"INFO" else b"+OK\r\n")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.mark.parametrize("version", ["6.2.14", "5.0.7", ""])
async def test_one_that_is_too_old(version: str) -> None:
    async with pretending(f"# Server\r\nredis_version:{version}\r\nrole:master\r\n".encode()) as port:
        said = await refused(f"redis://127.0.0.1:{port}")
    assert f"It is of version {version or 'unknown'}. Use Redis 7 or newer, or Valkey." in said


async def test_what_is_no_redis() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        assert "cannot be reached" in await refused(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}")


async def test_who_waits_for_a_connection_is_told_when_the_log_is_closed() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with listening:
        log = RedisLog(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", [SECRET], replicas=1)
        until = asyncio.get_running_loop().time() + 20
        waiting = [asyncio.create_task(each) for each in (log.now(), log.receive("node", until), log.join())]
        cancelled = asyncio.create_task(log.now())
        await asyncio.sleep(0.05)
        cancelled.cancel()
        await log.close()
        for each in waiting:
            with pytest.raises(LogUnavailable):
                await within(each)
        with pytest.raises(asyncio.CancelledError):
            await cancelled


def test_valkey_is_taken_for_the_redis_that_it_is_compatible_with() -> None:
    facts = parse_facts(
        b"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\nrole:master\r\n"
    )
    assert facts.never(clustered=False) is None


async def test_who_has_no_password_or_a_wrong_one(tmp_path: Path) -> None:
    with ended([Server(tmp_path / "one", {"requirepass": "right"}, password="right")]) as (one,):
        one.start()
        for login in ("", ":s3cret@", "me:s3cret@"):
            said = await refused(f"redis://{login}127.0.0.1:{one.port}")
            assert "redis://USER:PASSWORD@HOST" in said
        async with opened(f"redis://:right@127.0.0.1:{one.port}") as log:
            node = await log.join()
            await renew(log, node)


async def test_a_password_that_is_changed_while_it_runs(running: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(running.url) as log:
        run, node = await begun(log)
        with running.client() as client:
            client.config_set("requirepass", "right")
            client.execute_command("AUTH", "right")
            client.client_kill_filter(_type="normal", skipme=True)
            for asked in (log.now(), log.record(run)):
                with pytest.raises(LogUnavailable):
                    await within(asked)
            with pytest.raises(LogUnavailable):
                await renew(log, node)
            client.config_set("requirepass", "")
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(LogUnavailable):
                    await read(log, run)
                    break
                await asyncio.sleep(0.05)
    assert "Authentication required" in caplog.text


async def test_a_user_who_may_not_do_it(running: Server, caplog: pytest.LogCaptureFixture) -> None:
    with running.client() as client:
        client.acl_setuser("tools", enabled=True, nopass=True, keys=["mcp_app:*"], commands=["+info", "+exists"])
    async with opened(f"redis://tools:x@127.0.0.1:{running.port}") as log:
        with pytest.raises(LogUnavailable):
            await within(log.join())
    assert "docs/how-to-redis.md lists" in caplog.text


async def test_the_user_that_the_documentation_makes(running: Server) -> None:
    """As docs/how-to-redis.md says it."""
    text = (Path(__file__).parents[2] / "docs" / "how-to-redis.md").read_text(encoding="utf-8")
    (rule,) = re.findall(r"^ACL SETUSER tools (.*)$", text, re.MULTILINE)
    with running.client() as client:
        client.execute_command("ACL", "SETUSER", "tools", *rule.replace(">PASSWORD", ">right").split())
    async with opened(f"redis://tools:right@127.0.0.1:{running.port}") as log:
        run, node = await begun(log)
        await renew(log, node)
        assert len(await read(log, run)) == 3
        await log.put("key/a", b"x", await log.now() + 100)
        await log.send(node, b"x")
        assert await log.receive(node, asyncio.get_running_loop().time() + 5) == [b"x"]
        waiting = asyncio.create_task(log.read(run, 3, asyncio.get_running_loop().time() + 0.2))
        assert await within(waiting) == []
        await log.leave(node)
        assert len(await log.take_over(await log.join(), 10)) == 1


async def test_a_cluster_by_the_name_of_a_server_and_the_other_way_round(running: Server, tmp_path: Path) -> None:
    assert "Begin the URL with redis://" in await refused(running.url.replace("redis://", "redis+cluster://"))
    with server(tmp_path / "node", cluster_enabled="yes", cluster_config_file="nodes.conf") as node:
        assert "Begin the URL with redis+cluster://" in await refused(node.url)


async def test_a_service_that_no_sentinel_knows(tmp_path: Path) -> None:
    with ended([Server(tmp_path / "sentinel", {}, sentinel=True)]) as (sentinel,):
        sentinel.start()
        said = await refused(f"redis+sentinel://127.0.0.1:{sentinel.port}/other")
    assert "knows no service 'other'" in said


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[Server]:
    made = certificates()
    options = {
        "tls-cert-file": made.certificate,
        "tls-key-file": made.key,
        "tls-ca-cert-file": made.authority,
        "tls-auth-clients": "no",
    }
    with ended([Server(tmp_path / "one", options, tls=True)]) as (one,):
        one.start()
        yield one


async def test_over_tls(over_tls: Server) -> None:
    authority = over_tls.options["tls-ca-cert-file"]
    async with opened(f"rediss://127.0.0.1:{over_tls.port}?ssl_ca_certs={authority}") as log:
        run, node = await begun(log)
        await renew(log, node)
        assert len(await read(log, run)) == 3


async def test_a_certificate_that_nobody_knows(over_tls: Server) -> None:
    said = await refused(f"rediss://127.0.0.1:{over_tls.port}")
    assert "certificate" in said
    assert "?ssl_ca_certs=FILE" in said
    assert "cannot be reached" in await refused(f"redis://127.0.0.1:{over_tls.port}")


# --- what is stored --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encrypt", [False, True])
async def test_with_encrypt_nothing_of_callers_can_be_read_in_the_aof(running: Server, encrypt: bool) -> None:
    said = b"WHAT A CALLER SAID"
    async with opened(f"{running.url}?encrypt={int(encrypt)}") as log:
        node = await log.join()
        run = replace(record(node), principal=said.decode(), key=said.decode(), arguments=said, extra=said)
        await log.create(run, PLENTY)
        ending = Ending("complete", await log.now() + 100)
        await log.append(run.id, node, 1, [Event(EventType.COMPLETE, said)], ending)
        await log.amend(run.id, node, extra=said + b"!")
        await log.put("key/a", said, await log.now() + 100)
        await log.send(node, said)
        assert (await log.record(run.id)).arguments == said
        (entry,) = await read(log, run.id)
        assert entry.event.data == said
        assert await log.receive(node, 0) == [said]
    written = b"".join(each.read_bytes() for each in running.directory.rglob("*") if each.is_file())
    assert (said in written) is not encrypt
    assert run.id.encode() in written


async def test_nodes_with_other_secrets_do_not_disturb_each_other(
    running: Server, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{running.url}?encrypt=1"
    one, other, plain = (
        RedisLog(url, [SECRET]),
        RedisLog(url, ["another-secret-of-that-length"]),
        RedisLog(running.url, [SECRET]),
    )
    try:
        for log in (one, other, plain):
            await log.open()
        run, node = await begun(one)
        for log in (other, plain):
            for asked in (log.record(run), read(log, run)):
                with pytest.raises(LogUnavailable):
                    await within(asked)
        assert await other.send(node, b"not for you")
        assert await one.send(node, b"for you")
        assert await within(one.receive(node, asyncio.get_running_loop().time() + 10)) == [b"for you"]
        assert len(await read(one, run)) == 3
    finally:
        for log in (one, other, plain):
            await log.close()
    assert "not encrypted by one of the secrets in MCP_APP_SECRET" in caplog.text
