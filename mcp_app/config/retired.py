"""Settings that there were, and that do nothing any more: one that is still set is named at start.

A variable that never was one of ours is somebody else's, and not looked at.
"""

from __future__ import annotations

import os

RETIRED = {
    "MCP_APP_FIXES": "0.2",
    "MCP_APP_SPEEDUPS": "0.2",
}
"""Each with the version since which it has no effect."""


def still_set() -> list[str]:
    """A line for each of them that the environment has, in any case."""
    there = {name.upper() for name in os.environ}
    return [f"{name} has no effect since {version}" for name, version in RETIRED.items() if name in there]
