"""Tickets: each starts one run within a minute, then opens that run, and is good for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_app.auth import tickets as ticketing
from mcp_app.auth.tickets import MAX_PER_PRINCIPAL, PREFIX, SWEEP_SECONDS, TICKET_SECONDS, Tickets
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Unauthorized

NOW = 1_790_000_000.0
ALICE = Access("key:alice", frozenset({"read"}), expires=NOW + 5000, credential="alice")
BOB = Access("key:bob", frozenset(), credential="bob")
KEY, OTHER = "a" * 22, "b" * 22


class Runs:
    """(principal, key) -> run id, as the register has them."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], str] = {}

    def __call__(self, principal: str, key: str) -> str | None:
        return self.found.get((principal, key))


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def tickets(runs: Runs) -> Tickets:
    return Tickets(runs)


async def refused(tickets: Tickets, text: str, now: float) -> None:
    with pytest.raises(Unauthorized) as caught:
        await tickets.access(text, now)
    assert text not in str(caught.value.object())


async def test_a_ticket_gives_its_callers_access_for_one_run_key(tickets: Tickets) -> None:
    text = await tickets.issue(ALICE, KEY, NOW)
    access = await tickets.access(text, NOW)
    assert access == Access("key:alice", frozenset({"read"}), expires=NOW + 5000, credential="alice", run_key=KEY)
    assert text.startswith(PREFIX)
    assert len(text) > 40


async def test_it_starts_its_run_within_a_minute_and_no_later(tickets: Tickets) -> None:
    text = await tickets.issue(ALICE, KEY, NOW)
    await tickets.access(text, NOW + TICKET_SECONDS - 0.001)
    await refused(tickets, text, NOW + TICKET_SECONDS)
    await refused(tickets, text, NOW)  # gone for good, whatever the clock says


async def test_then_it_opens_that_run_until_it_is_forgotten(tickets: Tickets, runs: Runs) -> None:
    text = await tickets.issue(ALICE, KEY, NOW)
    runs.found["key:alice", KEY] = "run1"
    await tickets.started(await tickets.access(text, NOW))
    await tickets.access(text, NOW + 4000)
    del runs.found["key:alice", KEY]
    await refused(tickets, text, NOW + 4001)


async def test_it_is_not_for_a_second_run_of_the_same_key(tickets: Tickets, runs: Runs) -> None:
    text = await tickets.issue(ALICE, KEY, NOW)
    runs.found["key:alice", KEY] = "run1"
    await tickets.started(await tickets.access(text, NOW))
    runs.found["key:alice", KEY] = "run2"
    await refused(tickets, text, NOW + 1)


async def test_a_request_that_started_nothing_leaves_it_as_it_was(tickets: Tickets, runs: Runs) -> None:
    text = await tickets.issue(ALICE, KEY, NOW)
    await tickets.started(await tickets.access(text, NOW))  # wrong parameters, say
    runs.found["key:alice", KEY] = "run1"
    await tickets.started(await tickets.access(text, NOW + 1))
    await tickets.access(text, NOW + 4000)


async def test_one_for_a_run_that_is_there_opens_that_at_any_time(tickets: Tickets, runs: Runs) -> None:
    runs.found["key:alice", KEY] = "run1"
    text = await tickets.issue(ALICE, KEY, NOW)
    await tickets.access(text, NOW + 4000)


async def test_two_tickets_of_one_key_are_for_the_same_run(tickets: Tickets, runs: Runs) -> None:
    first, second = await tickets.issue(ALICE, KEY, NOW), await tickets.issue(ALICE, KEY, NOW)
    other = await tickets.issue(ALICE, OTHER, NOW)
    runs.found["key:alice", KEY] = "run1"
    await tickets.started(await tickets.access(first, NOW))
    assert first != second
    await tickets.access(other, NOW + 1)
    await tickets.access(second, NOW + 4000)
    await refused(tickets, other, NOW + 4000)


async def test_anothers_run_of_the_same_key_is_not_opened(tickets: Tickets, runs: Runs) -> None:
    runs.found["key:alice", KEY] = "run1"
    text = await tickets.issue(BOB, KEY, NOW)
    assert (await tickets.access(text, NOW)).principal == "key:bob"
    await refused(tickets, text, NOW + TICKET_SECONDS)


async def test_it_ends_with_the_credentials_behind_it(tickets: Tickets, runs: Runs) -> None:
    runs.found["key:alice", KEY] = "run1"
    text = await tickets.issue(ALICE, KEY, NOW)
    await tickets.access(text, NOW + 4999)
    await refused(tickets, text, NOW + 5000)


async def test_it_ends_when_they_are_revoked_and_nobody_elses_does(tickets: Tickets) -> None:
    of_alice, of_bob = await tickets.issue(ALICE, KEY, NOW), await tickets.issue(BOB, KEY, NOW)
    await tickets.end(ALICE)
    await refused(tickets, of_alice, NOW)
    await tickets.access(of_bob, NOW)


async def test_who_has_credentials_of_the_same_name_keeps_its_own(tickets: Tickets) -> None:
    """Two issuers may count their certificates, and an author's verifier whatever it likes, from one."""
    of_alice, of_other = (
        await tickets.issue(ALICE, KEY, NOW),
        await tickets.issue(replace(ALICE, principal="other"), KEY, NOW),
    )
    await tickets.end(ALICE)
    await refused(tickets, of_alice, NOW)
    await tickets.access(of_other, NOW)
    await tickets.end(replace(ALICE, principal="nobody"))


@pytest.mark.parametrize("text", ["", PREFIX, PREFIX + "x" * 43, "\udcff", "x" * 100_000])
async def test_what_was_not_given_out_is_refused(tickets: Tickets, text: str) -> None:
    await tickets.issue(ALICE, KEY, NOW)
    with pytest.raises(Unauthorized):
        await tickets.access(text, NOW)


async def test_what_is_good_for_nothing_more_takes_no_room(tickets: Tickets) -> None:
    for _ in range(100):
        await tickets.issue(ALICE, KEY, NOW)
    await tickets.issue(BOB, KEY, NOW + TICKET_SECONDS + SWEEP_SECONDS)
    assert len(tickets) == 1


async def test_who_asks_for_too_many_loses_the_oldest_of_its_own(tickets: Tickets) -> None:
    of_bob = await tickets.issue(BOB, KEY, NOW)
    issued = [await tickets.issue(ALICE, KEY, NOW) for _ in range(MAX_PER_PRINCIPAL + 1)]
    await refused(tickets, issued[0], NOW)
    await tickets.access(issued[1], NOW)
    await tickets.access(of_bob, NOW)


async def test_where_all_have_too_many_who_has_most_loses(tickets: Tickets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticketing, "MAX_TICKETS", 3)
    of_bob = await tickets.issue(BOB, KEY, NOW)
    of_alice = [await tickets.issue(ALICE, KEY, NOW) for _ in range(3)]
    assert len(tickets) == 3
    await refused(tickets, of_alice[0], NOW)
    await tickets.access(of_bob, NOW)
