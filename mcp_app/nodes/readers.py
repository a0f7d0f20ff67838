"""Who reads the runs of this node elsewhere: readers like any other, for which a lease stands in the place of a stream.

How they are told of is known in remote_reader.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..aio.deadlines import Deadlines
from ..eventlog.shared import LEASE_SECONDS
from ..runs import Reader, Run
from .letters import Letter


class ReadersElsewhere:
    """`find` is a run of this process by its id, None for none."""

    def __init__(self, find: Callable[[str], Run | None]) -> None:
        self._find = find
        self._readers: dict[str, Reader] = {}
        self._leases: Deadlines[str] = Deadlines(self._left)

    def __len__(self) -> int:
        return len(self._readers)

    def told(self, letter: Letter) -> None:
        """Where one of them is, or that it has left."""
        id_ = letter["reader"]
        if letter.get("left"):
            self._left(id_)
            return
        reader = self._readers.get(id_)
        if reader is None:
            run = self._find(letter["run"])
            if run is None or run.ended:
                return  # what is left to read is in the log, and nobody waits for a reader
            reader = self._readers[id_] = run.attach(letter["after"])
        reader.after, reader.end = letter["after"], letter["end"]
        reader.run.acknowledge(reader)
        self._leases.at(id_, asyncio.get_running_loop().time() + LEASE_SECONDS)

    def close(self) -> None:
        self._leases.close()

    def _left(self, id_: str) -> None:
        """It has said so, or was not heard of for too long."""
        self._leases.cancel(id_)
        reader = self._readers.pop(id_, None)
        if reader is not None:
            reader.close()
