"""What the functions of one application need besides their arguments: at once if it is there, else how it is made.

Values of a process are made and closed in shared.py, those of a call in supply.py, each by made.py.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from ..authoring.dependencies import OVERRIDES, Plan
from ..authoring.kind import FailedArguments
from .closings import Closings
from .shared import SharedValues
from .supply import Supply

Working = Callable[..., Coroutine[Any, Any, None]]
"""Runs a function with these arguments; a second one is in the place of `execution.work`."""


class Dependencies:
    """`shared` is what all calls share; `closings` are those of single calls, and count what was abandoned of both."""

    def __init__(self, cap_seconds: float) -> None:
        self.closings = Closings()
        self.shared = SharedValues(cap_seconds, self.closings)

    def begin(
        self,
        plan: Plan,
        arguments: dict[str, Any],
        working: Working,
        succeeded: Callable[[], bool],
        context: contextvars.Context,
    ) -> asyncio.Task[None]:
        """The task of a run, in its context: `working`, with what the plan needs, which is closed when `working` is
        done."""
        supplied = self._at_hand(plan, arguments)
        if supplied is not None:
            return asyncio.create_task(working(supplied), context=context)
        supply = Supply(plan, self.shared, self.closings, context)
        return asyncio.create_task(_supplied(supply, arguments, working, succeeded), context=context)

    def supply(self, plan: Plan) -> Supply:
        """The values of one call that is no run."""
        return Supply(plan, self.shared, self.closings, contextvars.copy_context())

    async def stop(self) -> None:
        """Give up the calls' closings that are left, then close what is shared."""
        await self.closings.stop()
        await self.shared.close()

    def _at_hand(self, plan: Plan, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """The arguments with all that the plan needs; None if something has still to be made, or is of one call."""
        if plan.makers or OVERRIDES or type(arguments) is FailedArguments:
            return None
        values = self.shared.values
        try:
            return {**arguments, **{name: values[maker.key] for name, maker in plan.arguments}}
        except KeyError:
            return None


async def _supplied(supply: Supply, arguments: dict[str, Any], working: Working, succeeded: Callable[[], bool]) -> None:
    try:
        await working(arguments, supply.work)
    finally:
        supply.close(succeeded=succeeded())
