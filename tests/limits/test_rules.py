"""What MCP_APP_LIMITS says, and what is limited unless it says otherwise."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mcp_app.config.limits import DEFAULTS, Rule, parse_rules
from mcp_app.config.settings import Settings


def only(text: str) -> tuple[Rule, ...]:
    return parse_rules(text, ())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("requests per principal 600/min", Rule("requests", "principal", None, 600, 60.0)),
        ("requests per address 100/s", Rule("requests", "address", None, 100, 1.0)),
        ("requests 5000/10s", Rule("requests", "all", None, 5000, 10.0)),
        ("requests in all 5/h", Rule("requests", "all", None, 5, 3600.0)),
        ("runs per tool 1/d", Rule("runs", "tool", None, 1, 86400.0)),
        ("runs of scan_domain per principal 10/min", Rule("runs", "principal", "scan_domain", 10, 60.0)),
        ("runs of scan_domain 10/min", Rule("runs", "all", "scan_domain", 10, 60.0)),
        ("runs of scan_domain per tool 10/min", Rule("runs", "all", "scan_domain", 10, 60.0)),
        ("  concurrent   per\tprincipal  4 ", Rule("concurrent", "principal", None, 4, None)),
        ("streams per address 4", Rule("streams", "address", None, 4, None)),
        ("streams of echo 4", Rule("streams", "all", "echo", 4, None)),
    ],
)
def test_a_rule(text: str, rule: Rule) -> None:
    assert only(text) == (rule,)


def test_rules_take_the_place_of_those_of_their_name() -> None:
    assert parse_rules("") == DEFAULTS
    assert parse_rules("off") == ()
    assert parse_rules("off, requests 1/s") == (Rule("requests", "all", None, 1, 1.0),)
    replaced = {rule.name: rule for rule in parse_rules("streams per address off, requests per principal 1/s")}
    assert "streams per address" not in replaced
    assert replaced["requests per principal"] == Rule("requests", "principal", None, 1, 1.0)
    assert set(replaced) == {rule.name for rule in DEFAULTS} - {"streams per address"}
    assert only("concurrent 1, concurrent 2") == (Rule("concurrent", "all", None, 2, None),)


def test_the_defaults_spare_this_machine() -> None:
    assert all(rule.spares_local for rule in DEFAULTS)
    assert not only("requests per address 1/s")[0].spares_local


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("calls per principal 1/s", "is no rule"),
        ("requests", "is no rule"),
        ("requests per principal", "is no rule"),
        ("requests per tool 1/s", "are counted per principal, address, or in all"),
        ("requests per user 1/s", "are counted per principal, address, or in all"),
        ("requests of echo 1/s", "limit runs"),
        ("requests 10", "have a rate"),
        ("runs 10/fortnight", "have a rate"),
        ("runs 10/0s", "is 1 s to a day"),
        ("runs 10/2d", "is 1 s to a day"),
        ("runs 0/s", "is 1 to 1000000000, or off"),
        ("runs -1/s", "have a rate"),
        ("concurrent 10/s", "have a number at once"),
        ("concurrent ten", "have a number at once"),
        ("streams 0", "is 1 to 1000000000, or off"),
        ("runs of a b 1/s", "is no rule"),
        ("runs per principal 1/s; runs 2/s", "is no rule"),
        ("requests per principal in all 1/s", "is no rule"),
        ("x" * 5000, "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused_at_the_start(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_rules(text)
    assert len(str(caught.value)) < 500
    with pytest.raises(ValidationError, match="MCP_APP_LIMITS"):
        Settings(limits=text)
