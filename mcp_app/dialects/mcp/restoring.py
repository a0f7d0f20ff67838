"""The transcript of a request whose run another process works on, or has worked on: made again from the run's entries.

What is asked of that process is not known here.
"""

from __future__ import annotations

import math

from ...authoring.kind import Kind
from ...protocol.errors import Purged
from ...protocol.mcp.request_info import RequestInfo
from ...protocol.mcp.transcript import Transcript
from ...runs import FoundRun

MAX_BEATS = 10_000
"""Heartbeats that are counted: more than a run of a day has, 15 s apart."""


async def restored(run: FoundRun, info: RequestInfo, through: int, beats: int = 0) -> Transcript:
    """The transcript as it is once the entries up to number `through` have been sent, and up to `beats` heartbeats
    between them: progress must increase over all streams of a request. Raises UnknownRun, LogUnavailable."""
    transcript = Transcript(info)
    try:
        at = 0
        while at < through:
            for entry in await run.log.read(run.id, at, math.inf):
                at = entry.number
                if at <= through:
                    transcript.add(entry)
    except Purged:
        transcript = Transcript(info)
        if getattr(run.callee, "kind", Kind.GENERATOR).yields:  # also of one that is not offered here
            transcript.miss_parts()
        transcript.last_number = through
    for _ in range(min(beats, MAX_BEATS)):
        transcript.keepalive(0.0, 0.0)
    return transcript
