"""Settings that are gone: one that is still set is named when the server starts, as nobody else would notice.

Nothing is read from the environment here, and nothing is logged.
"""

from __future__ import annotations

from collections.abc import Mapping

RETIRED = {
    "MCP_APP_FAST_LANE": ("0.1.0", "create_app(lane=False) is what it was set to false for"),
    "MCP_APP_FIXES": ("0.1.0", "the engine is the same for every setting"),
    "MCP_APP_SPEEDUPS": ("0.1.0", "the engine is the same for every setting"),
}
"""Variable -> the first version in which it has no effect, and what there is instead."""


def retired(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each that is set, in any case of letters."""
    there = {name.upper() for name in environ}
    return [
        f"{name} has no effect since {since}: {instead}" for name, (since, instead) in RETIRED.items() if name in there
    ]
