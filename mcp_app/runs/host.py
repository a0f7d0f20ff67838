"""`Host`: what all runs of one register share, and the tools that they call. Nothing is done here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..aio.deadlines import Deadlines
from ..authoring.around import Around
from ..authoring.tool import Registry
from ..eventlog import EventLog
from ..limits.charges import Charges
from ..limits.rotation import Rotation
from ..protocol.account import Trail
from .dependencies import Dependencies
from .elsewhere import Elsewhere
from .execution import Work
from .memory import Memory
from .queues import Queues
from .results import Bounds
from .threads import Threads

if TYPE_CHECKING:
    from .run import Run


class Host(NamedTuple):
    """`tools` are those that tools call by name; `steps` counts those calls, by tool and by how they ended. `trail` is
    told of each call, `arounds` are around each call of a tool. `charges` holds the limits of what callers may have;
    None for none. `work` runs a function to its end, here or in a process.

    `expiries` are the moments at which runs end by themselves. `lingering` are those that wait for their reader to come
    back, whose reader left first before the others. `on_end` is called with a run whose last event is in the log,
    `on_idle` with one that has ended and that nobody reads any more. `elsewhere` are the other processes; None without
    a shared log.
    """

    log: EventLog
    tools: Registry
    arounds: tuple[Around, ...]
    threads: Threads
    work: Work
    queues: Queues
    charges: Charges | None
    dependencies: Dependencies
    memory: Memory
    bounds: Bounds
    steps: Counter[tuple[str, str]]
    trail: Trail | None
    expiries: Deadlines[Run]
    lingering: Rotation[str, Run]
    linger_seconds: float
    on_end: Callable[[Run], None]
    on_idle: Callable[[Run], None]
    elsewhere: Elsewhere | None = None
