"""What can be run: a tool, a prompt, the reading of a resource; whatever has these members.

Who offers it, and by which name callers reach it, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..authoring.at_once import AtOnce
from ..authoring.dependencies import Plan
from ..authoring.kind import Encoded, Kind


class Callee(Protocol):
    """One typed function, and how what it gives is validated and encoded."""

    @property
    def name(self) -> str:
        """For messages, the log and the `started` event."""

    @property
    def noun(self) -> Literal["tool", "prompt", "resource"]:
        """What it is, for messages."""

    @property
    def kind(self) -> Kind: ...

    @property
    def function(self) -> Callable[..., Any]: ...

    @property
    def context(self) -> str | None:
        """The parameter that is given the run's `Context`; None where the function wants none."""

    @property
    def plan(self) -> Plan | None:
        """What is made for the function besides its arguments; None where it needs nothing."""

    @property
    def time_limit(self) -> float | None:
        """Seconds after which a run of it is ended, where that is earlier than the cap."""

    @property
    def at_once(self) -> AtOnce | None:
        """How many calls of it work at once; None where that is not limited."""

    @property
    def linkable(self) -> bool:
        """Whether a link may stand for what it gives: for a tool's result, not for what MCP gives a form of its own."""

    @property
    def encode_item(self) -> Callable[[Any], Encoded] | None:
        """Of what it yields; None for a function that only returns. Raises ToolFailed for what it does not declare."""

    @property
    def encode_result(self) -> Callable[[Any], Encoded]:
        """Of what it returns, or yields as its `Result`. Raises ToolFailed for what it does not declare."""


def has_context(callee: Callee) -> bool:
    """Whether something of a call of it is given the run's `Context`: the function, or a maker of what it needs."""
    return callee.context is not None or (
        callee.plan is not None and any(maker.context for maker in callee.plan.makers)
    )


def called(callee: Callee) -> str:
    """As messages call it: `tool NAME`."""
    return f"{callee.noun} {callee.name}"
