"""`Charges`: the rules of one server, held against requests, runs and streams; who is over one is refused.

The clock is an argument. What a request or a run is, is not known here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from ..config.limits import ADDRESS, ALL, CONCURRENT, PRINCIPAL, REQUESTS, RUNS, STREAMS, TOOL, Rule
from ..protocol.errors import RateLimited
from ..protocol.payer import Payer, payer_of
from .buckets import Buckets
from .counts import Counts
from .fields import count_fields, rate_fields

logger = logging.getLogger("mcp_app.limits")

LOG_SECONDS = 60.0
"""Between two lines of the log about one rule: who floods the server is not to flood its log."""

_NOUNS = {REQUESTS: "requests", RUNS: "runs", CONCURRENT: "runs at once", STREAMS: "open streams"}

_KEY, _NETWORK, _ALL, _TOOL = range(4)
"""By what a rule counts: a place in the keys of each call."""
_BY = {PRINCIPAL: _KEY, ADDRESS: _NETWORK, ALL: _ALL, TOOL: _TOOL}

_Rate = tuple[Rule, Buckets, int, str | None, bool]
_Count = tuple[Rule, Counts, int, str | None, bool]
"""With what each call looks at beside it, as members of a rule are slow: by what it counts, its tool, and whether it
spares who calls from this machine."""


class Hold:
    """What one run, or one stream, takes while it is open. `release` it once it is over; twice does nothing."""

    __slots__ = ("_taken",)

    def __init__(self, taken: list[tuple[Counts, str]]) -> None:
        self._taken = taken

    def release(self) -> None:
        taken, self._taken = self._taken, []
        for counts, key in taken:
            counts.leave(key)


class Charges:
    """Counts what callers use. `refused` counts refusals by the name of the rule.

    `clock` is in seconds and does not go back. `log` is called with the line for the operator.
    """

    def __init__(
        self, rules: Iterable[Rule], clock: Callable[[], float], log: Callable[[str], object] = logger.warning
    ) -> None:
        rules = tuple(rules)
        self.refused: Counter[str] = Counter()
        self.tools = {rule.name: rule.tool for rule in rules if rule.tool is not None}
        """Which tool a rule's name has in it."""
        self._clock = clock
        self._log = log
        self._logged_at: dict[str, float] = {}
        self._arriving = self._rates(rules, lambda rule: rule.what == REQUESTS and rule.per != PRINCIPAL)
        self._identified = self._rates(rules, lambda rule: rule.what == REQUESTS and rule.per == PRINCIPAL)
        self._runs = self._rates(rules, lambda rule: rule.what == RUNS)
        self._concurrent = self._count_of(rules, CONCURRENT)
        self._streams = self._count_of(rules, STREAMS)
        self.limits_streams = bool(self._streams)
        """Whether `stream` ever holds anything."""
        self.spares_local = all(rule.spares_local for rule in rules)
        """Whether nobody on this machine is counted at all."""

    def arrive(self, address: str) -> None:
        """A request has come from that address, and nobody has been asked who it is. Raises RateLimited."""
        if self._arriving:
            payer = payer_of(None, address)
            if payer.local and self.spares_local:
                return
            self._take(self._arriving, payer, None)

    def request(self, payer: Payer) -> None:
        """It is known who has sent the request. Raises RateLimited."""
        if self._identified:
            self._take(self._identified, payer, None)

    def another(self, payer: Payer) -> None:
        """A request has come in the same body as one that was charged: it counts as if it had come alone. Raises
        RateLimited."""
        if not (payer.local and self.spares_local):
            self._take([*self._arriving, *self._identified], payer, None)

    def run(self, payer: Payer, tool: str) -> Hold | None:
        """A run of that tool begins. What is returned is released when it has ended; None holds nothing. Raises
        RateLimited."""
        if payer.local and self.spares_local:
            return None
        hold = self._enter(self._concurrent, payer, tool) if self._concurrent else None
        if self._runs:
            try:
                self._take(self._runs, payer, tool)
            except RateLimited:
                if hold is not None:
                    hold.release()
                raise
        return hold

    def step(self, payer: Payer, tool: str) -> None:
        """A run calls another tool: rates of runs that are that tool's hold for it as well, so that no tool is a way
        around them. Raises RateLimited."""
        own = [each for each in self._runs if each[0].tool == tool or each[0].per == TOOL]
        if own:
            self._take(own, payer, tool)

    def stream(self, payer: Payer, tool: str | None = None) -> Hold | None:
        """A stream opens, as `run`. Raises RateLimited."""
        return self._enter(self._streams, payer, tool) if self._streams else None

    def _take(self, rates: list[_Rate], payer: Payer, tool: str | None) -> None:
        now, keys = self._clock(), (payer.key, payer.network, "", tool or "")
        for rule, buckets, by, only, spares in rates:
            if (spares and payer.local) or (only is not None and only != tool):
                continue
            key = keys[by]
            if not buckets.take(key, now):
                raise self._over(rates, rule, payer, keys, now)

    def _over(self, rates: list[_Rate], refusing: Rule, payer: Payer, keys: Sequence[str], now: float) -> RateLimited:
        """Who is refused pays nothing, and is told the rule that asks for the longest wait: to come back after a
        shorter one would be in vain."""
        held = [
            (rule, buckets, keys[by])
            for rule, buckets, by, only, spares in rates
            if not (spares and payer.local) and only in {None, keys[_TOOL]}
        ]
        for _, buckets, key in takewhile(lambda each: each[0] is not refusing, held):
            buckets.give_back(key)
        rule, buckets, key = max(held, key=lambda each: each[1].wait(each[2], now))
        fields = rate_fields(rule.name, rule.most, rule.seconds or 0.0, buckets.wait(key, now))
        return self._refusal(rule, payer, f"in {rule.seconds:g} s", fields, now)

    def _enter(self, counts: list[_Count], payer: Payer, tool: str | None) -> Hold | None:
        taken: list[tuple[Counts, str]] = []
        keys = (payer.key, payer.network, "", tool or "")
        for rule, count, by, only, spares in counts:
            if (spares and payer.local) or (only is not None and only != tool) or (by == _TOOL and tool is None):
                continue
            key = keys[by]
            if not count.enter(key):
                Hold(taken).release()
                raise self._refusal(rule, payer, "at once", count_fields(rule.name, rule.most), self._clock())
            taken.append((count, key))
        return Hold(taken) if taken else None

    def _refusal(self, rule: Rule, payer: Payer, within: str, fields: dict[str, str], now: float) -> RateLimited:
        self.refused[rule.name] += 1
        if now >= self._logged_at.get(rule.name, -LOG_SECONDS) + LOG_SECONDS:
            self._logged_at[rule.name] = now
            self._log(
                f"a caller is refused: {rule.name} are limited to {rule.most} {within} (MCP_APP_LIMITS); "
                f"principal {payer.key!r}, address {payer.network!r}; the next line about it in {LOG_SECONDS:g} s"
            )
        noun = _NOUNS[rule.what]
        whose = {PRINCIPAL: "each caller", ADDRESS: "each address", TOOL: "each tool", ALL: "all callers together"}
        of = f" of {rule.tool}" if rule.tool else ""
        limit = f"{rule.most} {noun.removesuffix(' at once')}{of} {within}"
        return RateLimited(f"The limit is {limit} for {whose[rule.per]}, and is reached.", headers=fields)

    def _rates(self, rules: Iterable[Rule], which: Callable[[Rule], bool]) -> list[_Rate]:
        return [
            (rule, self._make_buckets(rule, rule.seconds), _BY[rule.per], rule.tool, rule.spares_local)
            for rule in rules
            if rule.seconds is not None and which(rule)
        ]

    def _count_of(self, rules: Iterable[Rule], what: str) -> list[_Count]:
        return [
            (rule, self._make_counts(rule), _BY[rule.per], rule.tool, rule.spares_local)
            for rule in rules
            if rule.what == what
        ]

    def _make_buckets(self, rule: Rule, seconds: float) -> Buckets:
        return Buckets(rule.most, seconds)

    def _make_counts(self, rule: Rule) -> Counts:
        return Counts(rule.most)
