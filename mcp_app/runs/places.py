"""Where a function works: here, on the loop or in a thread as its kind has it, or in a process as its author has it.

How it works there is in execution.py and in processes.py.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..authoring.caller import Caller
from ..authoring.placement import SentArguments
from . import execution
from .callee import Callee
from .execution import Outcome, Until, Work
from .kept_thread import KeptThread
from .processes import Processes
from .sends import Emit
from .threads import Threads


def placing(processes: Processes) -> Work:
    """Runs a function to its end, wherever that is. Raises as these two do."""

    def work(
        callee: Callee,
        arguments: dict[str, Any],
        caller: Caller,
        emit: Emit,
        threads: Threads | KeptThread,
        run: str = "",
        until: Until | None = None,
    ) -> Coroutine[Any, Any, Outcome]:
        if type(arguments) is SentArguments:
            return processes.work(callee, arguments, caller, emit, run, until)
        return execution.work(callee, arguments, caller, emit, threads, run, until)

    return work
