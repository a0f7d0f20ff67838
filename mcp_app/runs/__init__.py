"""Runs: one run is one call of one callee, one task, one id; a reader follows what it appends to the event log.

HTTP is not mentioned from here down, and no dialect is known: `callee.py` is what can be run, `execution.py` how each
kind of function is worked on (`threads.py`, `from_thread.py`), `run.py` one run with its readers and its end,
`writer.py` its writing end, `failure.py` what is told of one that failed, `register.py` all of them, with their limits
and keys, and when they are forgotten. `dependencies.py` leads to what functions need besides their arguments.

Of other processes `elsewhere.py` says what is needed of them, `found.py` what may be done with a run wherever it is
worked on, and `write_through.py` how a run is written down for them.
"""

from .callee import Callee, has_context
from .elsewhere import Elsewhere, KeyTaken
from .found import FoundRun
from .made import MakerFailed
from .reader import Reader
from .register import Runs
from .run import Run

__all__ = ["Callee", "Elsewhere", "FoundRun", "KeyTaken", "MakerFailed", "Reader", "Run", "Runs", "has_context"]
