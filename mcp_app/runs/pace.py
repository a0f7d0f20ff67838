"""Numbers of a writer: how long a tool may hold the event loop, and how often what it has said is counted.

Policy as data: nothing happens here.
"""

from __future__ import annotations

SLICE_SECONDS = 0.0004
"""How long a tool that never awaits may hold the event loop. Its reader then takes as long to render and write what was
appended, so that all other tasks wait for a millisecond at most. Half the time would halve the size of each write."""

CLOCK_EVENTS = 16
"""Events appended between two reads of the clock. A tool that is slow between events holds the loop for this many."""

YIELD_TURNS = 6
"""Iterations of the event loop that the tool then yields for. A small request of another client takes five, and so is
answered before the next slice; with one iteration it would wait for five slices. On an idle server an iteration costs
as much as an event."""

COUNTED_BYTES = 1024
"""Bytes appended between two counts of what the log holds, so that most batches of small events cost nothing. It
is also counted each CLOCK_EVENTS. A single event that is larger is counted before it is appended."""

SHORT_BYTES = 64 * 1024
"""What the log of a run without a reader to wait for keeps while memory is short: once or twice this. It is the batch
of a reader, so that one that follows the run can keep up."""
