"""What other nodes ask about the runs of this one: letters of the kinds that remote_run.py sends."""

from __future__ import annotations

from ..runs import Run
from ..runs.known import KnownRuns
from . import letters
from .letters import Letter
from .post import Post
from .readers import ReadersElsewhere


class RunLetters:
    """`known` are the runs of this process. Whether who asks may is decided where it was asked."""

    def __init__(self, post: Post, known: KnownRuns) -> None:
        self._known = known
        self._readers = ReadersElsewhere(known.here)
        post.on("read", self._readers.told)
        post.on("cap", self._cap)
        post.on("stop", self._stop)

    def close(self) -> None:
        self._readers.close()

    def _cap(self, letter: Letter) -> None:
        if (run := self._run(letter)) is not None:
            run.end_at_cap(letter["seconds"])

    def _stop(self, letter: Letter) -> None:
        if (run := self._run(letter)) is not None:
            run.stop(letters.error_of(letter["end"]))

    def _run(self, letter: Letter) -> Run | None:
        return self._known.here(letter["run"])
