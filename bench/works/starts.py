"""What a start costs. Its figures are taken by whoever starts a server (starting.py); here they are given a name."""

from __future__ import annotations

from .. import environments
from ..servers import Door
from ..starting import Running
from . import Cell, Metric, Pace, Values, Work


def _start(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    return {
        "first_s": running.first_answer_s,
        "cpu_s": running.first_answer_cpu_s,
        "rest_mib": running.rest_mib,
        "distributions": environments.distributions(running.server.environment),
    }


START_WORK = Work(
    "start",
    "Start, rest, and what is installed",
    "Until the first right answer; resident memory after that; installed distributions (npm: packages).",
    (
        Metric("first_s", "s to first answer"),
        Metric("cpu_s", "CPU s until then"),
        Metric("rest_mib", "MiB at rest", digits=1),
        Metric("distributions", "distributions", digits=0),
    ),
    (Cell("fresh"),),
    _start,
    own_server=True,
)
