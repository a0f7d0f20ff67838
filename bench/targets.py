"""What is aimed at, as data, and whether a run reached it. Pure; nothing here is a test, as no machine is quiet enough.

A target compares one number of ours with one of a peer's, of the same run, round by round; or it is a bound by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .results import Results, Subject

ONE, MANY = "1 at once", "32 at once"
H1, H2 = Subject("mcp_app", "h1"), Subject("mcp_app", "h2")
PLAIN_H1, PLAIN_H2 = Subject("mcp_app", "plain h1"), Subject("mcp_app", "plain h2")
BY_QUART_H1, BY_QUART_H2 = Subject("mcp_app-quart", "h1"), Subject("mcp_app-quart", "h2")
SDK_JSON, SDK_SSE = Subject("mcp-json", "h1"), Subject("mcp-sse", "h1")
SDK_H2 = Subject("mcp-hypercorn-json", "h2")
TUTORIAL = Subject("tutorial", "h1")
BARE_H1, BARE_H2 = Subject("bare", "h1"), Subject("bare", "h2")

GROWTH_STEPS = 10
GROWTH_NOISE = 1.15
"""Ten times the number is allowed ten times the cost, and what one measurement of it differs from the next."""


@dataclass(frozen=True)
class Target:
    """`ours` is to be at most (at least) `bound` times the `peer`'s, or `bound` itself without one."""

    what: str
    work: str
    cell: str
    metric: str
    ours: Subject
    bound: float
    peer: Subject | None = None
    at_least: bool = False

    def met(self, number: float) -> bool:
        return number >= self.bound if self.at_least else number <= self.bound


TARGETS: tuple[Target, ...] = (
    Target("echo, HTTP/1.1, CPU", "echo", MANY, "cpu_us", H1, 0.8, SDK_JSON),
    Target("echo, HTTP/1.1, CPU, with access logs", "echo", MANY, "logging_us", H1, 0.8, SDK_JSON),
    Target("echo, h2 + TLS, CPU, same Hypercorn", "echo", MANY, "cpu_us", H2, 0.4, SDK_H2),
    Target("echo, h2 + TLS, CPU, the SDK's best", "echo", MANY, "cpu_us", H2, 0.8, SDK_JSON),
    Target("echo, HTTP/1.1, CPU, what the lane gains", "echo", MANY, "cpu_us", H1, 0.7, BY_QUART_H1),
    Target("echo, h2 + TLS, CPU, what the lane gains", "echo", MANY, "cpu_us", H2, 0.7, BY_QUART_H2),
    Target("ten events, HTTP/1.1, CPU", "ten events", MANY, "cpu_us", H1, 0.3, SDK_SSE),
    Target("ten events, h2 + TLS, CPU", "ten events", MANY, "cpu_us", H2, 0.3, SDK_SSE),
    Target("ten events, plain, HTTP/1.1, CPU", "ten events", MANY, "cpu_us", PLAIN_H1, 0.8, TUTORIAL),
    Target("ten events, plain, h2 + TLS, CPU", "ten events", MANY, "cpu_us", PLAIN_H2, 0.8, TUTORIAL),
    Target("long stream, HTTP/1.1, events/s", "long stream", ONE, "per_s", H1, 15, SDK_SSE, at_least=True),
    Target("long stream, h2 + TLS, events/s", "long stream", ONE, "per_s", H2, 15, SDK_SSE, at_least=True),
    Target("long stream, plain, HTTP/1.1, events/s", "long stream", ONE, "per_s", PLAIN_H1, 4, TUTORIAL, at_least=True),
    Target("long stream, plain, h2 + TLS, events/s", "long stream", ONE, "per_s", PLAIN_H2, 4, TUTORIAL, at_least=True),
    Target("first event, p50", "first event", ONE, "p50_ms", H1, 0.8, SDK_SSE),
    Target("first event, p50, HTTP/1.1", "first event", ONE, "p50_ms", H1, 1.3, BARE_H1),
    Target("first event, p50, h2 + TLS", "first event", ONE, "p50_ms", H2, 1.3, BARE_H2),
    Target("memory per idle stream, HTTP/1.1", "idle", "1 per connection", "kib", H1, 0.6, SDK_SSE),
    Target("KiB per idle stream, 100 on each h2 connection", "idle", "100 per connection", "kib", H2, 25),
    Target("echo beside a flood, p50 ms, HTTP/1.1", "beside a flood", ONE, "p50_ms", H1, 2),
    Target("echo beside a flood, p50 ms, h2 + TLS", "beside a flood", ONE, "p50_ms", H2, 2),
    *(
        Target(f"echo beside a flood, p50, against {peer}", "beside a flood", ONE, "p50_ms", H1, 1, Subject(peer, "h1"))
        for peer in ("fastmcp", "ts-v1", "ts-v2", "sse-starlette", "tutorial")
    ),
    Target("start to first answer", "start", "fresh", "first_s", H1, 0.6, SDK_SSE),
    Target("memory at rest", "start", "fresh", "rest_mib", H1, 0.8, SDK_SSE),
)


@dataclass(frozen=True)
class Verdict:
    """One line of the table. `number` is None when the run did not measure it."""

    what: str
    bound: str
    against: str
    number: float | None
    shown: str
    met: bool | None


def verdicts(results: Results) -> list[Verdict]:
    """All targets, judged by one run."""
    return [*(_judged(results, each) for each in TARGETS), *_growth(results)]


def _judged(results: Results, target: Target) -> Verdict:
    sign = "≥" if target.at_least else "≤"
    number: float | None
    if target.peer is None:
        number = results.value(target.work, target.cell, target.ours, target.metric)
        shown, against, times = "" if number is None else f"{number:.3g}", "-", ""
    else:
        ratio = results.ratio(target.work, target.cell, target.ours, target.peer, target.metric)
        number, shown = (ratio.middle, str(ratio)) if ratio else (None, "")
        against, times = str(target.peer), " x"
    met = None if number is None else target.met(number)
    return Verdict(target.what, f"{sign} {target.bound:g}{times}", against, number, shown, met)


def _growth(results: Results) -> Iterator[Verdict]:
    for log, curves in results.growth.items():
        for curve, points in curves.items():
            worst = worst_decade(points)
            met = None if worst is None else worst <= GROWTH_STEPS * GROWTH_NOISE
            shown = "" if worst is None else f"{worst:.1f}"
            yield Verdict(
                f"ten times the {curve}, {log} log: cost",
                f"≤ {GROWTH_STEPS} x, and {GROWTH_NOISE - 1:.0%} for noise",
                "-",
                worst,
                shown,
                met,
            )


def worst_decade(points: list[tuple[int, float]]) -> float | None:
    """By how much the whole cost grew, at most, for ten times the number. The points hold the cost of one event."""
    by_number = dict(points)
    found = [
        GROWTH_STEPS * by_number[number * GROWTH_STEPS] / each
        for number, each in points
        if number * GROWTH_STEPS in by_number
    ]
    return max(found) if found else None
