"""What a workflow remembers between the rounds of one call: in MCP 2026-07-28 a question of a step ends the round, and
the tool begins again. Steps that have ended are not called again then.

It is kept by `ctx.once`, with the client, and only where a client can be asked. Nothing is called here.
"""

from __future__ import annotations

from typing import Any

from mcp_app import Context
from mcp_app.builtin.run_workflow.outcome import StepError
from mcp_app.builtin.run_workflow.plan import Ended

MAX_KEPT_CHARACTERS = 100_000
"""Of what is kept of steps that may be repeated. All that a call keeps has 256 KiB; beyond that it ends when it asks.
Steps that may not be repeated are kept whatever they returned: rather no result than an effect twice."""

_CAPABILITIES = ("elicitation", "elicitation.url", "sampling", "roots")


class _NotKept(Exception):
    """There is nothing under the key; the client keeps nothing of an error."""


def _nothing() -> Any:
    raise _NotKept


class Rounds:
    """Of one run of `run_workflow`, which is one round."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asks = any(context.can(each) for each in _CAPABILITIES)
        self._room = MAX_KEPT_CHARACTERS

    async def recall(self, step: str) -> Ended | None:
        """What became of the step in an earlier round."""
        if not self._asks:
            return None
        try:
            kept = await self._context.once(_key(step), _nothing)
        except _NotKept:
            return None
        return ended_of(kept)

    async def remember(self, step: str, ended: Ended, *, repeatable: bool) -> None:
        """Keep it for later rounds, if there is room or it must not be called again."""
        if not self._asks or (repeatable and ended.characters > self._room):
            return
        self._room -= ended.characters
        await self._context.once(_key(step), lambda: kept_of(ended))


def kept_of(ended: Ended) -> dict[str, Any]:
    """As JSON."""
    error = None if ended.error is None else ended.error.model_dump()
    return {**ended._asdict(), "error": error}


def ended_of(kept: dict[str, Any]) -> Ended:
    """Of that JSON."""
    error = None if kept["error"] is None else StepError(**kept["error"])
    return Ended(**{**kept, "error": error})


def _key(step: str) -> str:
    return f"step {step}"
