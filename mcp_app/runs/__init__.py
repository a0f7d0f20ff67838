"""Runs: one run is one call of one tool, one task, one id; a reader follows what it appends to the event log.

HTTP is not mentioned from here down, and no dialect is known: `run.py` is one run, `writer.py` its writing end,
`expiry.py` when it ends by itself, `stop.py` how an asker ends it, `failure.py` what is told of one that failed,
`reader.py` one follower of it, `register.py` all of them, with their limits and keys, and when they are forgotten.
"""

from .reader import Reader
from .register import Runs
from .run import Run

__all__ = ["Reader", "Run", "Runs"]
