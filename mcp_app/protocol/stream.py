"""The state machine of one event stream: its transitions as a table, its two deadlines as numbers.

Time is an argument everywhere, in seconds of any monotonic clock; nothing waits and nothing is written here.
`heartbeat.py` and `time_cap.py` in the middleware take the deadlines from this module and act on them.
"""

from __future__ import annotations

from enum import Enum, auto


class StreamState(Enum):
    """The state of one event stream."""

    OPENING = auto()  # nothing has been written
    LIVE = auto()  # something has been written, more may follow
    ENDED = auto()  # the final event or comment has been written: nothing may follow it


class Input(Enum):
    """What is about to be written to a stream."""

    OPEN = auto()  # the opening comment
    ENTRIES = auto()  # entries of the log, without the run's last event
    QUIET = auto()  # a heartbeat
    LAST = auto()  # the run's last event
    CAP = auto()  # the end of a stream that reached the cap, without a last event
    LOST = auto()  # the error that ends the stream of a reader that fell behind the log


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
"""All allowed transitions: any other one is a defect of the server and raises `IllegalTransition`."""


class IllegalTransition(RuntimeError):
    """A write that the stream's state does not allow: nothing may follow a last event."""


class Stream:
    """The state and the deadlines of one event stream.

    `heartbeat` and `cap` are durations in seconds. `ends_by` is a time by which the stream must end whatever its age
    (the deadline of its run). A heartbeat is due when nothing has been written for `heartbeat` seconds.
    """

    __slots__ = ("_heartbeat", "_written_at", "cap_at", "state")

    def __init__(self, now: float, *, heartbeat: float, cap: float, ends_by: float | None = None) -> None:
        self.state = StreamState.OPENING
        self.cap_at = now + cap if ends_by is None else min(now + cap, ends_by)
        self._heartbeat = heartbeat
        self._written_at = now

    @property
    def quiet_at(self) -> float:
        """The time at which a heartbeat is due, unless something is written before."""
        return self._written_at + self._heartbeat

    def step(self, what: Input, now: float) -> None:
        """Take the transition for what is being written now, and postpone the heartbeat. Raises IllegalTransition."""
        try:
            self.state = TRANSITIONS[self.state][what]
        except KeyError:
            raise IllegalTransition(f"{what.name} in state {self.state.name}") from None
        self._written_at = now
