"""The header fields that tell a refused caller which limit it has reached, and when to come back.

Retry-After (RFC 9110, 10.2.3), RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10). Pure.
"""

from __future__ import annotations

import math
import re

MAX_RETRY_SECONDS = 3600
"""A client that is told to wait for longer gives up; one that comes earlier is told again."""

WAIT_FOR_PLACE_SECONDS = 5
"""What is open at once has no time at which it is over: a few seconds, as for a full queue."""

_NO_TEXT = re.compile(r'[^\x20-\x7e]|["\\]')


def rate_fields(name: str, count: int, seconds: float, wait: float) -> dict[str, str]:
    """Of a rate: `count` in `seconds` seconds, none of which is left for `wait` seconds."""
    again = whole_seconds(wait)
    return {
        "Retry-After": str(again),
        "RateLimit-Policy": f"{_item(name)};q={count};w={max(1, round(seconds))}",
        "RateLimit": f"{_item(name)};r=0;t={again}",
    }


def count_fields(name: str, count: int, retry_after: int = WAIT_FOR_PLACE_SECONDS) -> dict[str, str]:
    """Of what is open at once: the unit is that of concurrent requests (draft, 5.5), and no time is told."""
    return {
        "Retry-After": str(retry_after),
        "RateLimit-Policy": f'{_item(name)};q={count};qu="concurrent-requests"',
        "RateLimit": f"{_item(name)};r=0",
    }


def whole_seconds(wait: float) -> int:
    """Upwards, and at least one: a client that comes back at once is refused again."""
    return min(MAX_RETRY_SECONDS, max(1, math.ceil(wait)))


def _item(name: str) -> str:
    """A string of a structured field (RFC 9651, 3.3.3)."""
    return f'"{_NO_TEXT.sub("_", name)}"'
