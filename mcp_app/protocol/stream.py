"""When a stream does what: the states of one event stream as a table, its two deadlines as numbers.

Time is an argument everywhere, in seconds of any clock that does not go back; nobody waits here and nothing is written.
`heartbeat.py` and `time_cap.py` in the middleware ask this module *when*, and do *what*.
"""

from __future__ import annotations

from enum import Enum, auto


class StreamState(Enum):
    """Where one event stream is in its life."""

    OPENING = auto()  # nothing was written yet
    LIVE = auto()  # something was written, more may follow
    ENDED = auto()  # the last thing was written: only the end of the stream itself may follow


class Input(Enum):
    """What can happen to a stream."""

    OPEN = auto()  # the opening comment goes out
    ENTRIES = auto()  # entries of the log go out, the last one not among them
    QUIET = auto()  # a heartbeat goes out
    LAST = auto()  # the run's last event goes out
    CAP = auto()  # the stream is as old as it may get, and ends without a last event
    LOST = auto()  # the reader fell behind the log: the error goes out as last event


TRANSITIONS: dict[StreamState, dict[Input, StreamState]] = {
    StreamState.OPENING: {Input.OPEN: StreamState.LIVE},
    StreamState.LIVE: {
        Input.ENTRIES: StreamState.LIVE,
        Input.QUIET: StreamState.LIVE,
        Input.LAST: StreamState.ENDED,
        Input.CAP: StreamState.ENDED,
        Input.LOST: StreamState.ENDED,
    },
    StreamState.ENDED: {},
}
"""All allowed transitions: anything not in this table is a defect of ours and raises `IllegalTransition`."""


class IllegalTransition(RuntimeError):
    """Something was about to be written that must not be: nothing follows a last event."""


class Stream:
    """The state and the deadlines of one event stream.

    `heartbeat` and `cap` are seconds; `ends_by` is a point in time before which the stream must end whatever its age
    (the deadline of its run). A heartbeat is due when nothing at all was written for `heartbeat` seconds.
    """

    __slots__ = ("_heartbeat", "_written_at", "cap_at", "state")

    def __init__(self, now: float, *, heartbeat: float, cap: float, ends_by: float | None = None) -> None:
        self.state = StreamState.OPENING
        self.cap_at = now + cap if ends_by is None else min(now + cap, ends_by)
        self._heartbeat = heartbeat
        self._written_at = now

    @property
    def quiet_at(self) -> float:
        """When a heartbeat is due, unless something is written before."""
        return self._written_at + self._heartbeat

    def step(self, what: Input, now: float) -> None:
        """Something is being written: take the transition and put the heartbeat off.

        Raises IllegalTransition.
        """
        try:
            self.state = TRANSITIONS[self.state][what]
        except KeyError:
            raise IllegalTransition(f"{what.name} in state {self.state.name}") from None
        self._written_at = now
