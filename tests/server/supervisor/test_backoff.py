"""When a worker that ended is started again."""

from __future__ import annotations

from mcp_app.server.supervisor.backoff import GIVE_UP, LONGEST_SECONDS, STABLE_SECONDS, Backoff


def test_one_that_was_ready_for_long_is_started_again_at_once() -> None:
    backoff = Backoff()
    assert backoff.delay(STABLE_SECONDS) == 0
    assert backoff.failures == 0


def test_delays_are_doubled_to_a_bound() -> None:
    backoff = Backoff()
    assert [backoff.delay(None) for _ in range(4)] == [0.5, 1, 2, 4]
    assert [backoff.delay(0.1) for _ in range(4)] == [8, 16, LONGEST_SECONDS, LONGEST_SECONDS]


def test_a_long_life_in_between_begins_again() -> None:
    backoff = Backoff()
    for _ in range(GIVE_UP):
        assert not backoff.is_hopeless
        backoff.delay(None)
    assert backoff.is_hopeless
    backoff.delay(STABLE_SECONDS)
    assert not backoff.is_hopeless
    assert backoff.delay(None) == 0.5


def test_what_is_mended_may_be_tried_again() -> None:
    backoff = Backoff()
    for _ in range(GIVE_UP):
        backoff.delay(None)
    backoff.forget()
    assert not backoff.is_hopeless
    assert backoff.delay(None) == 0.5
