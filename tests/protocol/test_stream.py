"""The state table of one stream and its two deadlines, with time as an argument."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcp_app.protocol.stream import TRANSITIONS, IllegalTransition, Input, Stream, StreamState


@pytest.mark.parametrize("state", list(StreamState))
@pytest.mark.parametrize("what", list(Input))
def test_every_transition_is_in_the_table_or_raises(state: StreamState, what: Input) -> None:
    allowed = {
        (StreamState.OPENING, Input.OPEN): StreamState.LIVE,
        (StreamState.LIVE, Input.ENTRIES): StreamState.LIVE,
        (StreamState.LIVE, Input.QUIET): StreamState.LIVE,
        (StreamState.LIVE, Input.LAST): StreamState.ENDED,
        (StreamState.LIVE, Input.CAP): StreamState.ENDED,
        (StreamState.LIVE, Input.LOST): StreamState.ENDED,
    }
    stream = Stream(0, heartbeat=1, cap=9)
    stream.state = state
    if (state, what) in allowed:
        stream.step(what, 5)
        assert stream.state is allowed[state, what]
        assert stream.quiet_at == 6
    else:
        with pytest.raises(IllegalTransition, match=f"{what.name} in state {state.name}"):
            stream.step(what, 5)
        assert (stream.state, stream.quiet_at) == (state, 1)
    assert set(TRANSITIONS) == set(StreamState)


@pytest.mark.parametrize(
    ("ends_by", "cap_at"), [(None, 110), (105, 105), (110, 110), (500, 110), (90, 90), (math.inf, 110)]
)
def test_the_cap_is_the_age_or_the_end_of_the_run(ends_by: float | None, cap_at: float) -> None:
    assert Stream(100, heartbeat=1, cap=10, ends_by=ends_by).cap_at == cap_at


class Streams(RuleBasedStateMachine):
    """Any order of writes at any times, against the rules said in words."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.written = 1000.0
        self.ended = self.opened = False
        self.stream = Stream(self.now, heartbeat=15, cap=120)

    @rule(seconds=st.floats(0, 50))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.opened)
    @rule()
    def open(self) -> None:
        self.stream.step(Input.OPEN, self.now)
        self.opened, self.written = True, self.now

    @precondition(lambda self: self.opened and not self.ended)
    @rule(what=st.sampled_from([Input.ENTRIES, Input.QUIET]))
    def write(self, what: Input) -> None:
        self.stream.step(what, self.now)
        self.written = self.now

    @precondition(lambda self: self.opened and not self.ended)
    @rule(what=st.sampled_from([Input.LAST, Input.CAP, Input.LOST]))
    def end(self, what: Input) -> None:
        self.stream.step(what, self.now)
        self.ended, self.written = True, self.now

    @precondition(lambda self: self.ended or not self.opened)
    @rule(what=st.sampled_from([each for each in Input if each is not Input.OPEN]))
    def nothing_before_the_opening_nor_after_the_end(self, what: Input) -> None:
        with pytest.raises(IllegalTransition):
            self.stream.step(what, self.now)

    @precondition(lambda self: self.opened)
    @rule()
    def open_twice(self) -> None:
        with pytest.raises(IllegalTransition):
            self.stream.step(Input.OPEN, self.now)

    @invariant()
    def a_heartbeat_is_due_exactly_so_long_after_the_last_write(self) -> None:
        assert self.stream.quiet_at == self.written + 15

    @invariant()
    def the_cap_does_not_move(self) -> None:
        assert self.stream.cap_at == 1120

    @invariant()
    def the_state_is_what_was_written(self) -> None:
        expected = StreamState.ENDED if self.ended else StreamState.LIVE if self.opened else StreamState.OPENING
        assert self.stream.state is expected


TestStreams = Streams.TestCase
