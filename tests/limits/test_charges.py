"""Charges: who is refused, what it is told, what is counted and logged; and that nothing stays counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.config.limits import DEFAULTS, parse_rules
from mcp_app.limits.charges import LOG_SECONDS, Charges
from mcp_app.protocol.errors import RateLimited
from mcp_app.protocol.payer import LOCAL_PEER, NOBODY, Payer, network_of, payer_of

ANNA, BEN = payer_of("key:anna", "192.0.2.1"), payer_of("key:ben", "192.0.2.1")
HERE = payer_of("key:anna", "127.0.0.1")


class Stage:
    """Charges with a clock that is set, and the lines that they log."""

    def __init__(self, rules: str, *, defaults: bool = False) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        found = parse_rules(rules, DEFAULTS if defaults else ())
        self.charges = Charges(found, lambda: self.now, self.lines.append)


def refused(call: Callable[[], object]) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        call()
    return caught.value


def test_a_rate_refuses_with_what_the_caller_has_to_know() -> None:
    stage = Stage("requests per principal 2/min")
    stage.charges.request(ANNA)
    stage.charges.request(ANNA)
    error = refused(lambda: stage.charges.request(ANNA))
    assert error.message == "The limit is 2 requests in 60 s for each caller, and is reached."
    assert error.headers == {
        "Retry-After": "30",
        "RateLimit-Policy": '"requests per principal";q=2;w=60',
        "RateLimit": '"requests per principal";r=0;t=30',
    }
    stage.charges.request(BEN)
    stage.now = 29.0
    assert refused(lambda: stage.charges.request(ANNA)).headers["Retry-After"] == "1"
    stage.now = 30.0
    stage.charges.request(ANNA)


def test_what_is_open_at_once_refuses_until_something_is_over() -> None:
    stage = Stage("concurrent per principal 1")
    hold = stage.charges.run(ANNA, "echo")
    error = refused(lambda: stage.charges.run(ANNA, "other"))
    assert error.message == "The limit is 1 runs at once for each caller, and is reached."
    assert error.headers == {
        "Retry-After": "5",
        "RateLimit-Policy": '"concurrent per principal";q=1;qu="concurrent-requests"',
        "RateLimit": '"concurrent per principal";r=0',
    }
    stage.charges.run(BEN, "echo")
    assert hold is not None
    hold.release()
    hold.release()
    stage.charges.run(ANNA, "echo")
    refused(lambda: stage.charges.run(ANNA, "echo"))


@pytest.mark.parametrize(
    ("rule", "first", "same", "other"),
    [
        ("per principal", (ANNA, "a"), (payer_of("key:anna", "198.51.100.1"), "b"), (BEN, "a")),
        ("per address", (ANNA, "a"), (BEN, "b"), (payer_of("key:anna", "198.51.100.1"), "a")),
        ("per tool", (ANNA, "a"), (BEN, "a"), (ANNA, "b")),
        ("of a", (ANNA, "a"), (BEN, "a"), (ANNA, "b")),
        ("of a per principal", (ANNA, "a"), (ANNA, "a"), (BEN, "a")),
    ],
)
@pytest.mark.parametrize("what", ["runs {} 1/h", "concurrent {} 1"])
def test_by_what_runs_are_counted(
    what: str, rule: str, first: tuple[Payer, str], same: tuple[Payer, str], other: tuple[Payer, str]
) -> None:
    charges = Stage(what.format(rule)).charges
    charges.run(*first)
    refused(lambda: charges.run(*same))
    charges.run(*other)
    assert charges.refused == {what.format(rule).rsplit(" ", 1)[0]: 1}


def test_all_together() -> None:
    charges = Stage("runs 1/h, streams 1, requests 1/h").charges
    charges.run(ANNA, "a")
    refused(lambda: charges.run(BEN, "b"))
    charges.stream(ANNA, "a")
    assert refused(lambda: charges.stream(BEN, None)).message.endswith("for all callers together, and is reached.")
    charges.arrive("192.0.2.1")
    refused(lambda: charges.arrive("198.51.100.1"))


def test_who_is_refused_pays_nothing_elsewhere() -> None:
    stage = Stage("runs per principal 2/h, runs of b 1/h, concurrent 9")
    stage.charges.run(ANNA, "b")
    for _ in range(5):
        refused(lambda: stage.charges.run(ANNA, "b"))
    stage.charges.run(ANNA, "a")
    refused(lambda: stage.charges.run(ANNA, "a"))
    assert len(stage.charges._concurrent[0][1]) == 1
    assert stage.charges._concurrent[0][1]._open == {"": 2}


@pytest.mark.parametrize("rules", ["runs 1/10s, runs per principal 1/min", "runs per principal 1/min, runs 1/10s"])
def test_of_several_rules_that_refuse_the_longest_wait_is_told(rules: str) -> None:
    stage = Stage(f"{rules}, runs of b 1/d")
    stage.charges.run(ANNA, "a")
    error = refused(lambda: stage.charges.run(ANNA, "a"))
    assert error.message == "The limit is 1 runs in 60 s for each caller, and is reached."
    assert error.headers["Retry-After"] == "60"
    assert error.headers["RateLimit"] == '"runs per principal";r=0;t=60'
    assert refused(lambda: stage.charges.run(BEN, "a")).headers["Retry-After"] == "10"
    stage.now = 10.0
    stage.charges.run(BEN, "a")
    stage.now = 60.0
    stage.charges.run(ANNA, "b")


def test_addresses_are_counted_before_anybody_is_known_and_by_their_network() -> None:
    charges = Stage("requests per address 1/h").charges
    charges.arrive("2001:db8:0:1::1")
    refused(lambda: charges.arrive("2001:db8:0:1:ffff::2"))
    charges.arrive("2001:db8:0:2::1")
    charges.arrive("192.0.2.1")
    refused(lambda: charges.arrive("::ffff:192.0.2.1"))
    charges.request(ANNA)


def test_who_shows_no_credentials_pays_by_its_address() -> None:
    charges = Stage("requests per principal 1/h").charges
    charges.request(payer_of(None, "192.0.2.1"))
    charges.request(payer_of(None, "192.0.2.2"))
    refused(lambda: charges.request(payer_of(None, "192.0.2.1")))


def test_by_default_who_calls_from_this_machine_is_not_counted() -> None:
    charges = Stage("", defaults=True).charges
    for _ in range(20_000):
        charges.arrive("127.0.0.1")
        charges.request(HERE)
        charges.run(HERE, "echo")
        charges.stream(HERE)
    own = Stage("requests per principal 1/h").charges
    own.request(HERE)
    refused(lambda: own.request(HERE))


def test_steps_count_for_the_rates_of_their_own_tool_alone() -> None:
    charges = Stage("runs per principal 1/h, runs of b per principal 1/h, runs per tool 2/h").charges
    charges.run(ANNA, "workflow")
    charges.step(ANNA, "b")
    refused(lambda: charges.step(ANNA, "b"))
    charges.step(ANNA, "c")
    charges.step(ANNA, "c")
    refused(lambda: charges.step(BEN, "c"))


def test_a_flood_is_a_line_a_minute_for_each_rule_with_who_it_is() -> None:
    stage = Stage("requests per principal 1/h, streams 1")
    stage.charges.request(ANNA)
    for stage.now in (0.0, 1.0, LOG_SECONDS - 1, LOG_SECONDS, LOG_SECONDS + 1):
        refused(lambda: stage.charges.request(ANNA))
    stage.charges.stream(BEN)
    refused(lambda: stage.charges.stream(BEN))
    assert [line.partition(" (")[0] for line in stage.lines] == [
        "a caller is refused: requests per principal are limited to 1 in 3600 s",
        "a caller is refused: requests per principal are limited to 1 in 3600 s",
        "a caller is refused: streams are limited to 1 at once",
    ]
    assert "principal 'key:anna', address '192.0.2.1'" in stage.lines[0]
    forged = payer_of("key:x\n[2026] forged", "192.0.2.3")
    stage.charges.request(forged)
    stage.now += 10 * LOG_SECONDS
    refused(lambda: stage.charges.request(forged))
    assert "\n" not in stage.lines[-1]


def test_a_stream_of_no_tool_is_none_of_a_tools() -> None:
    charges = Stage("streams per tool 1").charges
    assert charges.stream(ANNA) is None
    assert charges.stream(ANNA) is None
    charges.stream(ANNA, "a")
    refused(lambda: charges.stream(BEN, "a"))


def test_nothing_is_held_where_nothing_is_limited() -> None:
    charges = Stage("requests 1000/s").charges
    assert charges.run(ANNA, "a") is None
    assert charges.stream(ANNA) is None
    assert not charges.limits_streams


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", False)),
        ("127.8.8.8", ("127.8.8.8", True)),
        ("::1", ("::1", True)),
        ("::ffff:127.0.0.1", ("127.0.0.1", True)),
        ("2001:db8::1", ("2001:db8::/64", False)),
        ("fe80::1%eth0", ("fe80::/64", False)),
        (LOCAL_PEER, (LOCAL_PEER, True)),
        ("_hidden", ("_hidden", False)),
        ("testclient", ("testclient", False)),
        ("_" + "x" * 500, ("_" + "x" * 63, False)),
        ("", ("", False)),
    ],
)
def test_by_what_an_address_is_counted(address: str, expected: tuple[str, bool]) -> None:
    assert network_of(address) == expected


def test_nobody_is_counted_where_callers_are_not_told_apart() -> None:
    assert NOBODY.local
    assert payer_of("anonymous", "192.0.2.1") != payer_of(None, "192.0.2.1")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from("ab")), max_size=60))
def test_however_runs_begin_and_end_no_more_are_open_than_may_and_none_stays(
    steps: list[tuple[bool, int, str]],
) -> None:
    charges = Stage("concurrent per principal 2, concurrent per tool 3, concurrent 4").charges
    open_now = []
    for begins, number, name in steps:
        if begins:
            try:
                open_now.append((charges.run(payer_of(str(number), "192.0.2.1"), name), number, name))
            except RateLimited:
                pass
        elif open_now:
            hold, _, _ = open_now.pop(number % len(open_now))
            assert hold is not None
            hold.release()
        assert len(open_now) <= 4
        assert all(sum(who == each for _, who, _ in open_now) <= 2 for each in range(4))
        assert all(sum(tool == each for _, _, tool in open_now) <= 3 for each in "ab")
    for hold, _, _ in open_now:
        assert hold is not None
        hold.release()
    assert all(not len(counts) for _, counts, *_ in charges._concurrent)
