"""`MCP_APP_LIMITS`: what is limited, for whom, and to how much; and what is limited unless the setting says otherwise.

    requests per principal 1000/10s, runs of scan_domain per principal 10/min, concurrent per tool 50, streams off

Policy as data: nothing is counted here (mcp_app/limits does), and no other part of the package is known.
"""

from __future__ import annotations

import re
from typing import NamedTuple

REQUESTS, RUNS, CONCURRENT, STREAMS = "requests", "runs", "concurrent", "streams"
PRINCIPAL, ADDRESS, TOOL, ALL = "principal", "address", "tool", "all"

_RATES = (REQUESTS, RUNS)
_PER = {
    REQUESTS: (PRINCIPAL, ADDRESS, ALL),  # a request is counted before its body is read for a tool's name
    RUNS: (PRINCIPAL, ADDRESS, TOOL, ALL),
    CONCURRENT: (PRINCIPAL, ADDRESS, TOOL, ALL),
    STREAMS: (PRINCIPAL, ADDRESS, TOOL, ALL),
}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}

MAX_COUNT = 10**9
"""More than a process can do in a year: what is larger is a slip."""
MAX_SECONDS = 86400.0
"""A day. Counts are kept in memory: what is to last longer than a process belongs to a database."""

_RULE = re.compile(
    r"(?P<what>[a-z]+)(?: of (?P<tool>[A-Za-z0-9_./-]{1,128}))?(?: per (?P<per>[a-z]+)| in all)? (?P<limit>\S+)",
    re.ASCII,
)
_COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)
_RATE = re.compile(r"([0-9]{1,10})/([0-9]{0,5})(s|min|h|d)", re.ASCII)

FORM = (
    "a rule is WHAT [of TOOL] [per principal|address|tool] LIMIT: WHAT is requests or runs with a rate as LIMIT "
    "(100/s, 600/min, 1000/10s, 5/h), or concurrent or streams with a number; LIMIT may be off. Rules are separated "
    "by commas; off alone is no limit at all"
)


class Rule(NamedTuple):
    """At most `most` of `what` for each of `per`: within `seconds` if that is a number, else at once.

    `tool` is the only one that the rule is about; None for all. `spares_local`: whether who calls from this machine is
    not counted.
    """

    what: str
    per: str
    tool: str | None
    most: int
    seconds: float | None
    spares_local: bool = False

    @property
    def name(self) -> str:
        """As the setting spells it, without the limit."""
        return named(self.what, self.tool, self.per)


def named(what: str, tool: str | None, per: str) -> str:
    """The left part of a rule."""
    return what + (f" of {tool}" if tool else "") + ("" if per == ALL else f" per {per}")


DEFAULTS = (
    # One loop serves all: a caller with ten times an agent's pace leaves the others theirs. The bucket of ten seconds
    # is for a page, or an agent, that begins with a burst.
    Rule(REQUESTS, PRINCIPAL, None, 1000, 10.0, spares_local=True),
    # Counted before credentials are looked at, so that guessing them, or none, is bounded. Four callers' worth: an
    # office, or a platform that calls for many, has one address.
    Rule(REQUESTS, ADDRESS, None, 4000, 10.0, spares_local=True),
    # A tenth of MCP_APP_MAX_RUNS, so that no ten callers' hanging calls are everybody's 503.
    Rule(CONCURRENT, PRINCIPAL, None, 1000, None, spares_local=True),
    # An open stream holds some 25 KiB and a descriptor: 1,000 are 25 MiB, and what a process may open on most systems.
    Rule(STREAMS, PRINCIPAL, None, 500, None, spares_local=True),
    Rule(STREAMS, ADDRESS, None, 1000, None, spares_local=True),
)
"""What is limited where other machines reach the server. Who calls from this machine is spared: a developer, a test, a
benchmark; and so is everybody behind a proxy here that MCP_APP_TRUSTED_PROXIES does not name."""


def parse_rules(text: str, defaults: tuple[Rule, ...] = DEFAULTS) -> tuple[Rule, ...]:
    """The rules of the setting together with those defaults that it does not replace. Raises ValueError."""
    rules = {rule.name: rule for rule in defaults}
    for each in text.split(","):
        words = " ".join(each.split())
        if words == "off":
            rules.clear()
        elif words:
            what, tool, per, limit = _split(words)
            name = named(what, tool, per)
            if limit == "off":
                rules.pop(name, None)
            else:
                rules[name] = Rule(what, per, tool, *_limit(words, what, limit))
    return tuple(rules.values())


def _split(words: str) -> tuple[str, str | None, str, str]:
    found = _RULE.fullmatch(words)
    if found is None or found["what"] not in _PER:
        raise ValueError(f"MCP_APP_LIMITS: {words[:100]!r} is no rule: {FORM}")
    what, tool, per, limit = found["what"], found["tool"], found["per"] or ALL, found["limit"]
    if per not in _PER[what]:
        raise ValueError(
            f"MCP_APP_LIMITS: {words[:100]!r}: {what} are counted per {', '.join(_PER[what][:-1])}, or in all"
        )
    if tool is not None and what == REQUESTS:
        raise ValueError(
            f"MCP_APP_LIMITS: {words[:100]!r}: a request becomes a tool's when it starts a run: limit runs"
        )
    if tool is not None and per == TOOL:
        per = ALL  # of this one
    return what, tool, per, limit


def _limit(words: str, what: str, limit: str) -> tuple[int, float | None]:
    if what in _RATES:
        found = _RATE.fullmatch(limit)
        if found is None:
            raise ValueError(f"MCP_APP_LIMITS: {words[:100]!r}: {what} have a rate, such as 600/min: {FORM}")
        count, seconds = int(found[1]), float(int(found[2] or 1) * _SECONDS[found[3]])
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"MCP_APP_LIMITS: {words[:100]!r}: the time of a rate is 1 s to a day")
    elif _COUNT.fullmatch(limit):
        count, seconds = int(limit), None
    else:
        raise ValueError(f"MCP_APP_LIMITS: {words[:100]!r}: {what} have a number at once, such as 100: {FORM}")
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"MCP_APP_LIMITS: {words[:100]!r}: a limit is 1 to {MAX_COUNT}, or off")
    return count, seconds
