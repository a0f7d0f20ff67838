"""Counters and gauges for the operator, in Prometheus' text format, version 0.0.4.

A metric is a counter that other parts increment, or a number read when the page is requested. All are listed in
docs/reference.md (a test compares). Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..limits.charges import Charges
from ..runs import Elsewhere, Runs
from ..runs.write_through import LogCounts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counter:
    """A number that only increases."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, count: int = 1) -> None:
        self.value += count


class InFlight(Counter):
    """Counts things that begin and end; the difference is the number open now."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        super().__init__()
        self.ended = Counter()

    @property
    def now(self) -> int:
        return self.value - self.ended.value


class Metrics:
    """The metrics of one process."""

    def __init__(self, malformed: Callable[[], int] = lambda: 0) -> None:
        """`malformed` is the number of requests that the server refused without asking the application."""
        self._malformed = malformed
        self.streams = InFlight()
        self.sessions = InFlight()
        self.heartbeats = Counter()
        self.repairs = Counter()
        self.tasks = Counter()
        self.promoted = Counter()
        self.refusals: dict[str, int] = {}

    def count_refusal(self, code: str) -> None:
        """Count a request answered with that error code; the codes are few and fixed."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def text(self, runs: Runs, names: Callable[[str], bool] = lambda _: True) -> bytes:
        """The page in Prometheus' text format. `names`: whether a label may name that tool."""
        return "".join(self._lines(runs, names)).encode()

    def _lines(self, runs: Runs, names: Callable[[str], bool]) -> Iterator[str]:
        yield from _metric("mcp_app_streams_total", "counter", "Event streams opened.", self.streams.value)
        yield from _metric("mcp_app_streams_open", "gauge", "Event streams open now.", self.streams.now)
        yield from _metric("mcp_app_sessions_total", "counter", "MCP sessions opened.", self.sessions.value)
        yield from _metric("mcp_app_sessions_open", "gauge", "MCP sessions open now.", self.sessions.now)
        yield from _metric("mcp_app_heartbeats_total", "counter", "Heartbeats written.", self.heartbeats.value)
        yield from _metric(
            "mcp_app_arguments_repaired_total", "counter", "Values repaired in arguments.", self.repairs.value
        )
        yield from _metric("mcp_app_tasks_total", "counter", "Calls that became tasks.", self.tasks.value)
        yield from _metric("mcp_app_tasks_promoted_total", "counter", "Of those, at the cap.", self.promoted.value)
        yield from _metric("mcp_app_runs_started_total", "counter", "Runs started.", runs.started)
        yield from _labelled("mcp_app_runs_ended_total", "Runs ended, by how.", "code", runs.ended)
        yield from _steps("mcp_app_steps_ended_total", runs.steps, names)
        yield from _metric("mcp_app_runs_working", "gauge", "Runs being worked on now.", runs.working)
        queued = runs.queues.waiting
        yield from _metric("mcp_app_runs_queued", "gauge", "Runs waiting for others of their tool.", queued)
        yield from _metric("mcp_app_runs_kept", "gauge", "Runs that can be read now.", runs.kept)
        yield from _metric("mcp_app_working_bytes", "gauge", "Bytes held by runs being worked on.", runs.memory.held)
        yield from _metric("mcp_app_kept_bytes", "gauge", "Bytes kept of finished runs.", runs.finished.bytes)
        forgotten = "Finished runs forgotten, by what was reached: their age, what one caller may have, or all."
        yield from _labelled("mcp_app_runs_forgotten_total", forgotten, "reason", runs.finished.forgotten)
        yield from _labelled("mcp_app_refusals_total", "Requests refused, by error code.", "code", self.refusals)
        yield from _shared_log(runs.elsewhere)
        limited = {} if runs.charges is None else _limited(runs.charges, names)
        yield from _labelled("mcp_app_limited_total", "Requests over a limit, by its rule.", "limit", limited)
        yield from _metric(
            "mcp_app_malformed_requests_total", "counter", "Requests that are not HTTP, refused.", self._malformed()
        )
        yield from _metric("mcp_app_threads_working", "gauge", "Plain functions working.", runs.threads.working)
        yield from _metric(
            "mcp_app_threads_abandoned",
            "gauge",
            "Threads that were told to stop and have not.",
            runs.threads.abandoned,
        )
        yield from _metric(
            "mcp_app_closings_abandoned",
            "counter",
            "Values that were not closed in time, and given up.",
            runs.dependencies.closings.abandoned,
        )
        processes = runs.processes
        yield from _labelled(
            "mcp_app_processes",
            "Processes of tools, by what they do.",
            "state",
            {"working": processes.working, "idle": processes.idle},
            "gauge",
        )
        holds, held = runs.watch.holds, round(runs.watch.seconds, 3)
        yield from _metric("mcp_app_loop_holds_total", "counter", "Times the event loop was held for 0.1 s.", holds)
        yield from _metric("mcp_app_loop_held_seconds_total", "counter", "Seconds of these, together.", held)
        yield from _metric("mcp_app_draining", "gauge", "1 while the server is being stopped.", int(runs.draining))


def _shared_log(elsewhere: Elsewhere | None) -> Iterator[str]:
    """Without a shared log all of it is 0."""
    counts = LogCounts() if elsewhere is None else elsewhere.counts
    lease = int(elsewhere is not None and elsewhere.present)
    yield from _metric("mcp_app_log_lease", "gauge", "1 while this process has its lease in the shared log.", lease)
    for name, meaning, value in (
        ("runs_published", "Runs written to the shared log.", counts.published),
        ("runs_lost", "Of those, runs that this process has lost to others.", counts.lost),
        ("runs_taken_over", "Runs of processes that are gone, ended by this one.", counts.taken_over),
        ("runs_restarted", "Runs of processes that are gone, begun again by this one.", counts.restarted),
        ("waits", "Times that a run waited, as the shared log could not be reached.", counts.waits),
        ("renewal_failures", "Times that the lease could not be renewed.", counts.failures),
    ):
        yield from _metric(f"mcp_app_log_{name}_total", "counter", meaning, value)
    usage = counts.usage
    states = {"working": usage.working, "kept": usage.kept}
    yield from _labelled("mcp_app_log_runs", "Runs in the shared log, by what they are.", "state", states, "gauge")
    yield from _metric("mcp_app_log_kept_bytes", "gauge", "Bytes that it keeps of finished runs.", usage.bytes)
    forgotten = "Finished runs that this process had it forget."
    yield from _labelled("mcp_app_log_runs_forgotten_total", forgotten, "reason", counts.forgotten)


def _metric(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} {value}\n"


def _steps(name: str, ended: dict[tuple[str, str], int], names: Callable[[str], bool]) -> Iterator[str]:
    """A tool's name needs no escape in a label. Those that may not be named are one, without a name."""
    yield f"# HELP {name} Tools called by tools and ended, by tool and how.\n# TYPE {name} counter\n"
    counts: dict[tuple[str, str], int] = {}
    for (tool, code), count in ended.items():
        key = (tool if names(tool) else "", code)
        counts[key] = counts.get(key, 0) + count
    for (tool, code), count in sorted(counts.items()):
        yield f'{name}{{tool="{tool}",code="{code}"}} {count}\n'


def _limited(charges: Charges, names: Callable[[str], bool]) -> dict[str, int]:
    """Refusals by rule. Of a tool that may not be named a rule is one of a tool."""
    counts: dict[str, int] = {}
    for rule, count in charges.refused.items():
        tool = charges.tools.get(rule)
        key = rule if tool is None or names(tool) else rule.replace(f" of {tool}", " of a tool", 1)
        counts[key] = counts.get(key, 0) + count
    return counts


def _labelled(name: str, meaning: str, label: str, values: dict[str, int], kind: str = "counter") -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
    for value, count in sorted(values.items()):
        yield f'{name}{{{label}="{value}"}} {count}\n'
