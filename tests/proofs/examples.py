"""How many examples a property test draws: few in the suite, many as a proof."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "MCP_APP_PROOF_EXAMPLES"

RANDOM = "MCP_APP_PROOF_RANDOM"
"""Set for a proof at length, which draws new examples each time. The suite and CI draw the same ones every time:
whether a change may land is not a matter of chance."""


def time_bound(in_suite: int) -> float:
    """Seconds that a test may take: it has a second for ten examples, of which one takes 20 ms on an idle machine."""
    return 60 + count(in_suite) / 10


def count(in_suite: int) -> int:
    """How many, here."""
    return int(os.environ.get(VARIABLE, in_suite))


def examples(in_suite: int) -> settings:
    """The settings of a test: no deadline (a machine under load), nothing kept between runs."""
    return settings(
        max_examples=count(in_suite),
        deadline=None,
        database=None,
        derandomize=RANDOM not in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
