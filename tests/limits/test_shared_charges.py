"""Limits over several processes, each of which hears each second what the others have let in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_app.config.limits import parse_rules
from mcp_app.limits.shared_charges import HEARD_SECONDS, SharedCharges
from mcp_app.protocol.errors import RateLimited
from mcp_app.protocol.payer import payer_of

ANNA, BEN = (payer_of(f"key:{name}", "192.0.2.1") for name in ("anna", "ben"))


class Site:
    """So many processes, whose callers are charged by the same rules."""

    def __init__(self, rules: str, count: int = 2) -> None:
        self.time = 1000.0
        parsed = parse_rules(rules, ())
        self.all = [SharedCharges(parsed, lambda: self.time, log=lambda line: None) for _ in range(count)]

    def tell(self) -> None:
        for at, charges in enumerate(self.all):
            told = charges.tell()
            for other in self.all:
                if other is not charges:
                    other.hear(f"node {at}", told)

    def let_in(self, at: int, count: int, payer: object = ANNA) -> int:
        """How many of so many requests."""
        let_in = 0
        for _ in range(count):
            try:
                self.all[at].request(payer)  # type: ignore[arg-type]
                let_in += 1
            except RateLimited:
                pass
        return let_in


def test_what_one_lets_in_the_other_does_not() -> None:
    site = Site("requests per principal 10/10s")
    assert site.let_in(0, 6) == 6
    site.tell()
    assert site.let_in(1, 10) == 4
    assert site.let_in(1, 10, BEN) == 10
    site.tell()
    assert (site.let_in(0, 5), site.let_in(0, 5, BEN)) == (0, 0)
    site.time += 5
    assert site.let_in(0, 10) + site.let_in(1, 0) == 5
    site.tell()
    assert site.let_in(1, 10) == 0


def test_what_was_told_is_not_told_again() -> None:
    site = Site("requests per principal 10/10s")
    site.let_in(0, 3)
    for _ in range(5):
        site.tell()
    assert site.let_in(1, 10) == 7


def test_who_was_refused_has_taken_nothing() -> None:
    site = Site("requests 10/10s, requests per principal 2/10s")
    let_in = 0
    for _ in range(10):
        with contextlib.suppress(RateLimited):
            site.all[0].another(ANNA)
            let_in += 1
    assert let_in == 2
    assert site.all[0].tell()["taken"] == {"requests": {"": 2}, "requests per principal": {ANNA.key: 2}}


def test_what_takes_a_small_part_of_a_rule_is_told_once_it_has_grown() -> None:
    site = Site("requests per principal 1000/10s")
    site.let_in(0, 19)
    assert site.all[0].tell()["taken"] == {}
    site.let_in(0, 1)
    assert site.all[0].tell()["taken"] == {"requests per principal": {ANNA.key: 20}}
    assert site.all[0].tell()["taken"] == {}


def test_what_is_open_at_one_counts_at_the_other_until_it_is_closed() -> None:
    site = Site("streams per principal 3")
    held = [site.all[0].stream(ANNA) for _ in range(2)]
    site.tell()
    own = site.all[1].stream(ANNA)
    with pytest.raises(RateLimited):
        site.all[1].stream(ANNA)
    assert site.all[1].stream(BEN) is not None
    for each in held:
        assert each is not None
        each.release()
    site.tell()
    assert [site.all[1].stream(ANNA) for _ in range(2)] != [None, None]
    assert own is not None


def test_a_process_that_is_gone_has_nothing_open() -> None:
    site = Site("streams per principal 3")
    for _ in range(3):
        site.all[0].stream(ANNA)
    site.tell()
    site.time += HEARD_SECONDS - 1
    site.all[1].tell()
    with pytest.raises(RateLimited):
        site.all[1].stream(ANNA)
    site.time += 1
    site.all[1].tell()
    assert site.all[1].stream(ANNA) is not None


def test_rules_of_another_release_are_left_out() -> None:
    site = Site("requests per principal 10/10s")
    site.all[0].hear("node", {"taken": {"runs per principal": {ANNA.key: 9}}, "open": {"streams": {"": 3}}})
    assert site.let_in(0, 11) == 10


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.5])), min_size=1, max_size=40
    )
)
def test_over_any_time_all_let_in_the_rule_and_what_they_could_not_know(steps: list[tuple[int, int, float]]) -> None:
    """Each step is told before the next: then three processes let in what one does."""
    site = Site("requests per principal 20/10s", 3)
    began, let_in = site.time, 0
    for at, count, passed in steps:
        let_in += site.let_in(at, count)
        site.tell()
        site.time += passed
        assert let_in <= 20 + (site.time - began) * 2 + 1
