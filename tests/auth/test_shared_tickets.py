"""Tickets of several processes: given out by one, used at another; each starts one run, then opens that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from mcp_app.auth.shared_tickets import SharedTickets
from mcp_app.auth.tickets import PREFIX, TICKET_SECONDS
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import LogUnavailable, Unauthorized

NOW = 1_790_000_000.0  # of the callers' clocks
ALICE = Access(
    "key:alice", frozenset({"read", "write"}), True, expires=NOW + 5000, claims={"sub": "a"}, credential="alice"
)
KEY = "a" * 22
RUN_SECONDS = 4200.0


class Cluster:
    """Two processes with one log, whose clock is an hour behind."""

    def __init__(self) -> None:
        self.time = NOW - 3600
        self.runs: dict[tuple[str, str], str] = {}
        shared = SharedMemory(lambda: self.time)
        self.logs = [MemorySharedLog(shared) for _ in range(2)]
        self.here, self.there = (SharedTickets(log, lambda: self.time, self.find, RUN_SECONDS) for log in self.logs)

    async def find(self, principal: str, key: str) -> str | None:
        return self.runs.get((principal, key))

    def start(self, run: str) -> None:
        self.runs["key:alice", KEY] = run


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def refused(access: Awaitable[Access]) -> None:
    with pytest.raises(Unauthorized):
        await access


async def test_a_ticket_gives_its_callers_access_at_every_process(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    assert text.startswith(PREFIX)
    for tickets in (cluster.here, cluster.there):
        access = await tickets.access(text, NOW)
        assert (access.principal, access.scopes, access.steps_up) == ("key:alice", {"read", "write"}, True)
        assert (access.expires, access.claims, access.credential) == (NOW + 5000, {"sub": "a"}, "alice")
        assert access.run_key == KEY


async def test_it_starts_its_run_within_a_minute_of_the_logs_clock(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    cluster.time += TICKET_SECONDS - 0.001
    await cluster.there.access(text, NOW)
    cluster.time += 0.001
    await refused(cluster.there.access(text, NOW))


async def test_then_it_opens_that_run_everywhere_until_it_is_forgotten(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    access = await cluster.there.access(text, NOW)
    await cluster.there.started(access)  # with wrong parameters, say
    cluster.start("run1")
    await cluster.there.started(access)
    cluster.time += 4000
    await cluster.here.access(text, NOW)
    cluster.runs.clear()
    await refused(cluster.here.access(text, NOW))


async def test_it_is_not_for_a_second_run_of_the_same_key(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    cluster.start("run1")
    await cluster.here.started(await cluster.here.access(text, NOW))
    cluster.start("run2")
    await refused(cluster.there.access(text, NOW))
    cluster.start("run1")
    await refused(cluster.there.access(text, NOW))


async def test_one_for_a_run_that_is_there_opens_that_at_any_time(cluster: Cluster) -> None:
    cluster.start("run1")
    text = await cluster.here.issue(ALICE, KEY, NOW)
    cluster.time += 4000
    await cluster.there.access(text, NOW)


@pytest.mark.parametrize("end", ["expired", "revoked"])
async def test_it_ends_with_the_credentials_behind_it(cluster: Cluster, end: str) -> None:
    text, other = [await cluster.here.issue(ALICE, KEY, NOW) for _ in range(2)]
    if end == "expired":
        await cluster.there.access(text, NOW + 4999)
        await refused(cluster.there.access(text, NOW + 5000))
    else:
        await cluster.there.end(await cluster.there.access(text, NOW))
    await refused(cluster.here.access(text, NOW))
    await cluster.here.access(other, NOW)


@pytest.mark.parametrize("text", ["", PREFIX, PREFIX + "x" * 43, "\udcff", "x" * 100_000])
async def test_what_was_not_given_out_is_refused(cluster: Cluster, text: str) -> None:
    await refused(cluster.here.access(text, NOW))


async def test_only_its_digest_is_in_the_log(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    assert text not in repr(cluster.logs[0]._shared.documents)
    assert cluster.logs[0]._shared.documents


async def test_without_the_log_nobody_knows(cluster: Cluster) -> None:
    text = await cluster.here.issue(ALICE, KEY, NOW)
    cluster.logs[0].reachable = False
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: cluster.here.access(text, NOW),
        lambda: cluster.here.issue(ALICE, KEY, NOW),
    ]
    for each in asked:
        with pytest.raises(LogUnavailable):
            await each()
    await cluster.there.access(text, NOW)
