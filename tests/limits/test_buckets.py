"""Token buckets: how many, how fast they come back, and what is kept of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.limits.buckets import MAX_KEYS, Buckets


def test_a_full_bucket_gives_all_its_tokens_at_once_and_then_one_after_the_other() -> None:
    buckets = Buckets(3, 6.0)
    assert [buckets.take("a", 100.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.left("a", 100.0) == 0
    assert buckets.wait("a", 100.0) == pytest.approx(2.0, abs=0.01)
    assert not buckets.take("a", 101.9)
    assert buckets.take("a", 102.0)
    assert not buckets.take("a", 102.0)
    assert buckets.left("a", 104.0) == 1
    assert [buckets.take("a", 200.0) for _ in range(4)] == [True, True, True, False]


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(1, 1.0)
    assert buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 0.5)
    assert buckets.left("c", 0.5) == 1


def test_what_is_given_back_can_be_taken_again() -> None:
    buckets = Buckets(1, 60.0)
    assert buckets.take("a", 0.0)
    buckets.give_back("a")
    assert buckets.take("a", 0.0)


def test_one_token_comes_back_when_its_time_is_over() -> None:
    buckets = Buckets(1, 10.0)
    assert buckets.take("a", 0.0)
    assert not buckets.take("a", 9.9)
    assert buckets.take("a", 10.0)


def test_a_refused_call_costs_no_token() -> None:
    buckets = Buckets(1, 10.0)
    buckets.take("a", 0.0)
    for tenth in range(1, 100):
        assert not buckets.take("a", tenth / 10)
    assert buckets.take("a", 10.0)


def test_buckets_that_are_full_are_not_kept_and_others_are_bounded() -> None:
    buckets = Buckets(10, 10.0)
    for number in range(1024):
        buckets.take(str(number), 0.0)
    buckets.take("late", 100.0)
    assert len(buckets) == 1
    for number in range(2 * MAX_KEYS):
        buckets.take(str(number), 200.0)
        assert len(buckets) <= MAX_KEYS


@given(
    st.integers(1, 50),
    st.floats(0.1, 1000),
    st.lists(st.floats(0, 100), min_size=1, max_size=200),
    st.floats(0, 1e6),
)
def test_in_no_time_is_more_taken_than_the_bucket_has_and_gets(
    count: int, seconds: float, pauses: list[float], begin: float
) -> None:
    buckets, now = Buckets(count, seconds), begin
    taken: list[float] = []
    for pause in pauses:
        now += pause
        left = buckets.left("a", now)
        if buckets.take("a", now):
            assert left >= 1
            taken.append(now)
        else:
            assert left == 0
            assert buckets.take("a", now + buckets.wait("a", now) + seconds / count / 100)
            buckets.give_back("a")
    for first in range(0, len(taken), 7):
        for last in range(first, len(taken), 7):
            refilled = (taken[last] - taken[first]) / seconds * count
            assert last - first + 1 <= count + refilled + 0.01
