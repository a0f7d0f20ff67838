"""How many connections there may be, and which makes room: one that is idle, of whom has most. Pure."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.payer import LOCAL_PEER
from mcp_app.server.engine.admission import LOCAL, RESERVED, Admission, ConnectionPlace, group, possible


class Connection(ConnectionPlace):
    """Idle since it came, unless it is `busy`."""

    def __init__(self, host: str, since: float = 0.0, *, busy: bool = False) -> None:
        super().__init__(group(host), since, self.end)
        self.closed = False
        if busy:
            self.idle_since = lambda: None

    def end(self) -> None:
        assert not self.closed
        self.closed = True


def test_one_that_has_been_idle_for_longest_makes_room() -> None:
    admission = Admission(3, 0)
    oldest, busy, newest = (
        Connection("192.0.2.1", 1.0),
        Connection("192.0.2.1", busy=True),
        Connection("192.0.2.1", 2.0),
    )
    assert all(admission.enter(each) for each in (newest, busy, oldest))
    assert admission.enter(Connection("192.0.2.2", 3.0))
    assert (oldest.closed, busy.closed, newest.closed) == (True, False, False)
    admission.leave(oldest)  # its task ends later
    assert (len(admission), admission.closed, admission.refused) == (3, 1, 0)


def test_it_is_of_the_address_that_has_most() -> None:
    admission = Admission(10, 0)
    alone = Connection("198.51.100.7", 0.0)
    flood = [Connection("192.0.2.1", 1.0 + number) for number in range(9)]
    assert all(admission.enter(each) for each in (alone, *flood))
    for number in range(5):
        assert admission.enter(Connection(f"203.0.113.{number}", 100.0))
    assert not alone.closed
    assert [each.closed for each in flood] == [True] * 5 + [False] * 4


def test_where_none_is_idle_there_is_no_room() -> None:
    admission = Admission(2, 0)
    assert all(admission.enter(Connection("192.0.2.1", busy=True)) for _ in range(2))
    assert not admission.enter(Connection("192.0.2.2"))
    assert (len(admission), admission.refused) == (2, 1)


def test_an_idle_one_of_a_smaller_group_makes_room_where_the_largest_has_none() -> None:
    admission = Admission(3, 0)
    assert all(admission.enter(Connection("192.0.2.1", busy=True)) for _ in range(2))
    idle = Connection("192.0.2.3")
    assert admission.enter(idle)
    assert admission.enter(Connection("192.0.2.2"))
    assert idle.closed


def test_one_address_makes_room_among_its_own() -> None:
    admission = Admission(100, 2)
    other = Connection("192.0.2.9", 0.0)
    own = [Connection("192.0.2.1", 1.0), Connection("192.0.2.1", busy=True)]
    assert all(admission.enter(each) for each in (other, *own))
    assert admission.enter(Connection("192.0.2.1", busy=True))
    assert own[0].closed
    assert not other.closed
    assert not admission.enter(Connection("192.0.2.1"))


def test_room_is_looked_for_among_its_own_or_among_all() -> None:
    admission = Admission(5, 2)
    hosts = ("192.0.2.1", "192.0.2.1", "192.0.2.9", "127.0.0.1", "127.0.0.1")
    assert all(admission.enter(Connection(host, busy=True)) for host in hosts)
    assert [admission.rivals(group(host)) for host in ("192.0.2.1", "192.0.2.9", "127.0.0.1")] == [2, 5, 5]


def test_what_comes_from_this_machine_is_bounded_in_all_only() -> None:
    """A proxy on the same machine speaks for many."""
    admission = Admission(10, 2)
    assert all(admission.enter(Connection(host, busy=True)) for host in ("127.0.0.1", "::1", "", "127.8.8.8") * 2)
    assert len(admission) == 8


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_who_is_counted_together(one: str, other: str) -> None:
    assert group(one) == group(other)


@pytest.mark.parametrize(("one", "other"), [("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1")])
def test_who_is_not(one: str, other: str) -> None:
    assert LOCAL not in {group(one), group(other)}
    assert group(one) != group(other)


def test_who_is_on_this_machine_is_one_group() -> None:
    assert {group(host) for host in (LOCAL_PEER, "127.0.0.1", "127.7.7.7", "::1")} == {LOCAL}


def test_files_keep_their_descriptors() -> None:
    assert possible(10_000, 1024) == 1024 - 128
    assert possible(100, 1024) == 100
    assert possible(0, 100_000) == 87_500
    assert possible(10_000, 256) == 256 - RESERVED
    assert possible(10_000, 16) == 1
    assert possible(10_000, resource.RLIM_INFINITY) == 10_000
    assert possible(0, resource.RLIM_INFINITY) > 10**9


HOSTS = [f"192.0.2.{number}" for number in range(4)]


@given(st.lists(st.tuples(st.sampled_from(HOSTS), st.booleans(), st.booleans()), max_size=60))
def test_there_are_never_more_than_may_be(steps: list[tuple[str, bool, bool]]) -> None:
    admission = Admission(8, 3)
    inside: list[Connection] = []
    for number, (host, busy, leaves) in enumerate(steps):
        if leaves and inside:
            admission.leave(inside.pop(0))
            continue
        connection = Connection(host, float(number), busy=busy)
        if admission.enter(connection):
            inside.append(connection)
        inside = [each for each in inside if not each.closed]
        assert len(admission) == len(inside) <= 8
        for each in HOSTS:
            assert sum(other.group == each for other in inside) <= 3
    for each in inside:
        admission.leave(each)
    assert len(admission) == 0
