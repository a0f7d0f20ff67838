"""Work that outlives its caller: started as a detached run, followed from anywhere, cancelled by its id.

Served by `mcp-app serve examples/long_job.py`, called in docs/how-to-long-work.md. It computes in a thread: a plain
function may be as busy as it likes.
"""

import random
import time
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mcp_app import Context, tool

BATCH = 50_000
"""Samples between two words to the caller: some ten milliseconds of work, so that a cancelled run stops as soon."""


@dataclass
class Estimate:
    """The result."""

    pi: float
    samples: int


@tool(read_only=True, time_limit=1800)
def estimate_pi(
    ctx: Context,
    samples: Annotated[int, Field(ge=1, le=10_000_000_000)] = 1_000_000,
    seed: int | None = None,
) -> Estimate:
    """Estimate pi by throwing darts at a square.

    Args:
        samples: how many darts; a million takes about a second
        seed: makes the estimate repeatable
    """
    darts = random.Random(seed)
    inside = thrown = 0
    said_at = 0.0
    while thrown < samples:
        count = min(BATCH, samples - thrown)
        inside += sum(darts.random() ** 2 + darts.random() ** 2 < 1 for _ in range(count))
        thrown += count
        if ctx.cancelled:  # looked at between words; a word itself would stop the thread, too
            break
        if time.monotonic() - said_at > 0.2 or thrown == samples:
            said_at = time.monotonic()
            ctx.progress(thrown, samples, f"pi is about {4 * inside / thrown:.5f}")
    return Estimate(pi=4 * inside / thrown, samples=thrown)
