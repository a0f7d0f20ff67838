"""Work that computes, on every core: each call in a process of its own, which other callers do not notice.

Served by `mcp-app serve examples/primes.py`, called in docs/how-to-compute.md. Written in Python it would keep the
interpreter for itself in a thread; in a process it has one of its own.
"""

import time
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mcp_app import Context, tool


@dataclass
class Primes:
    """The result."""

    count: int
    largest: int | None


@tool(read_only=True, placement="process", time_limit=600)
def count_primes(ctx: Context, below: Annotated[int, Field(ge=2, le=100_000_000)] = 100_000) -> Primes:
    """Count the prime numbers below a number, by trial division.

    Args:
        below: how far; a hundred thousand takes less than a second, ten million some minutes
    """
    primes: list[int] = []
    said_at = time.monotonic()
    for number in range(2, below):
        if is_prime(number, primes):
            primes.append(number)
        if time.monotonic() - said_at > 0.2:
            said_at = time.monotonic()
            ctx.progress(number, below, f"{len(primes)} so far")
    return Primes(len(primes), primes[-1] if primes else None)


def is_prime(number: int, smaller: list[int]) -> bool:
    """Whether none of the smaller primes, up to its square root, divides the number."""
    for prime in smaller:
        if prime * prime > number:
            return True
        if number % prime == 0:
            return False
    return True
