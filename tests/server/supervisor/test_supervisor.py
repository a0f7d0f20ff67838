"""What a supervisor starts, restarts, replaces and ends, by processes that are none and a clock that is set."""

from __future__ import annotations

import errno
import logging
import os
import signal

import pytest

from mcp_app.server.supervisor.backoff import GIVE_UP, STABLE_SECONDS
from mcp_app.server.supervisor.supervisor import Supervisor

START, STOP = 60.0, 30.0


class FakeProcess:
    """A process that does what the test says."""

    def __init__(self, number: int, pid: int) -> None:
        self.number = number
        self.pid = pid
        self.is_ready = False
        self.hand_over_seconds = 125.0
        self.status: int | None = None
        self.told: list[str | int] = []

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    def replace(self) -> None:
        self.told.append("replaced")

    def stop(self) -> None:
        self.told.append("stop")

    def signal(self, number: int) -> None:
        self.told.append(number)
        if number == signal.SIGKILL:
            self.status = -signal.SIGKILL

    def poll(self) -> int | None:
        return self.status


class House:
    """A supervisor with fake processes, and its clock."""

    def __init__(self, count: int) -> None:
        self.now = 1000.0
        self.started: list[FakeProcess] = []
        self.fails = 0
        self.supervisor = Supervisor(count, self._start, lambda: self.now, start_seconds=START, stop_seconds=STOP)
        self.supervisor.turn()

    def _start(self, number: int) -> FakeProcess:
        if self.fails:
            self.fails -= 1
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.started.append(FakeProcess(number, 100 + len(self.started)))
        return self.started[-1]

    @property
    def newest(self) -> FakeProcess:
        return self.started[-1]

    def turn(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.supervisor.turn()

    def ready(self, *processes: FakeProcess) -> None:
        for process in processes or self.started:
            process.is_ready = True
        self.turn()

    def end(self, process: FakeProcess, status: int, seconds: float = 0.0) -> None:
        process.status = status
        self.turn(seconds)


def serving(count: int) -> House:
    """All of them serve, and have for long."""
    house = House(count)
    house.ready()
    house.ready()
    house.turn(STABLE_SECONDS)
    return house


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("mcp_app").propagate = True
    caplog.set_level("INFO", "mcp_app")


def test_the_first_is_started_alone_and_the_others_when_it_is_ready() -> None:
    house = House(3)
    assert [each.number for each in house.started] == [1]
    house.turn(1)
    assert len(house.started) == 1
    house.ready()
    assert [each.number for each in house.started] == [1, 2, 3]


@pytest.mark.parametrize(("status", "expected"), [(1, 1), (2, 2), (0, 1), (-signal.SIGSEGV, 1)])
def test_what_prevents_the_start_is_not_tried_again(status: int, expected: int) -> None:
    house = House(2)
    house.end(house.newest, status)
    assert len(house.started) == 1
    assert house.supervisor.status == expected


def test_one_that_is_killed_is_started_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    house = serving(2)
    house.end(house.started[0], -signal.SIGKILL)
    assert house.supervisor.unserved() == []
    assert [each.number for each in house.started] == [1, 2, 1]
    assert "worker 1 (pid 100) was ended by SIGKILL after 10 s; another is started" in caplog.text
    assert house.started[1].told == []


def test_one_that_ends_soon_is_started_again_later_and_later() -> None:
    house = serving(2)
    house.end(house.newest, 1)
    for delay in (0.5, 1, 2):
        house.ready(house.newest)
        house.end(house.newest, 1)
        before = len(house.started)
        assert house.supervisor.unserved() == [house.newest.number]
        assert house.supervisor.due() == house.now + delay
        house.turn(delay - 0.01)
        assert len(house.started) == before
        house.turn(0.01)
        assert len(house.started) == before + 1


def crash(house: House, number: int) -> None:
    """The process of that number ends, and the delay before the next passes."""
    house.end(next(each for each in reversed(house.started) if each.number == number), 3)
    if (due := house.supervisor.due()) is not None and due > house.now:
        house.turn(min(due - house.now, 30.0))


def test_it_gives_up_when_none_stays(caplog: pytest.LogCaptureFixture) -> None:
    house = serving(1)
    house.end(house.newest, 0)  # it has lived for long: the next begins to count
    for _ in range(GIVE_UP - 1):
        crash(house, 1)
    assert house.supervisor.status is None
    crash(house, 1)
    assert house.supervisor.status == 1
    assert f"the last of {GIVE_UP} in a row; no worker stays: giving up" in caplog.text


def test_it_does_not_give_up_while_another_serves() -> None:
    house = serving(2)
    for _ in range(3 * GIVE_UP):
        crash(house, 2)
    assert house.supervisor.status is None
    assert house.started[0].told == []
    assert house.newest.number == 2


def test_a_worker_that_recovered_counts_as_one_that_serves() -> None:
    house = serving(2)
    for _ in range(GIVE_UP):
        crash(house, 2)
    recovered = house.newest
    house.ready(recovered)
    house.turn(STABLE_SECONDS)
    for _ in range(GIVE_UP + 1):
        crash(house, 1)
    assert house.supervisor.status is None
    assert recovered.told == []


def test_no_process_to_give_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    house = serving(2)
    house.fails = 1
    house.end(house.started[0], -signal.SIGKILL)
    assert "worker 1 cannot be started: Resource temporarily unavailable" in caplog.text
    house.turn(0.5)
    assert house.newest.number == 1
    assert len(house.started) == 3


def test_one_that_is_not_ready_in_time_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    house = House(1)
    assert house.supervisor.due() == house.now + START
    house.turn(START - 1)
    assert house.newest.told == []
    house.turn(1)
    assert house.newest.told == [signal.SIGKILL]
    assert "worker 1 (pid 100) is not ready in time, and is killed" in caplog.text
    house.turn()
    assert house.supervisor.status == 1


def test_they_are_replaced_one_after_the_other_each_when_its_successor_is_ready() -> None:
    house = serving(2)
    one, two = house.started
    house.supervisor.replace()
    assert [each.number for each in house.started[2:]] == [1]
    assert one.told == []
    house.ready(house.newest)
    assert one.told == ["replaced"]
    assert len(house.started) == 3, "the second waits for the end of the first"
    house.end(one, 0)
    assert [each.number for each in house.started[2:]] == [1, 2]
    assert two.told == []
    house.ready(house.newest)
    house.end(two, 0)
    house.turn(1)
    assert len(house.started) == 4
    assert [each.told for each in house.started] == [["replaced"], ["replaced"], [], []]
    assert house.supervisor.status is None


def test_a_successor_that_does_not_start_leaves_everything_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    house = serving(2)
    house.supervisor.replace()
    house.end(house.newest, 1)
    assert "nothing is replaced, and those from before go on" in caplog.text
    house.turn(100)
    assert len(house.started) == 3
    assert [each.told for each in house.started[:2]] == [[], []]
    house.supervisor.replace()
    assert len(house.started) == 4


def test_a_successor_that_is_not_ready_in_time_is_killed() -> None:
    house = serving(1)
    house.supervisor.replace()
    house.turn(START)
    assert house.newest.told == [signal.SIGKILL]
    house.turn()
    assert house.started[0].told == []
    assert house.supervisor.status is None


def test_one_that_ends_while_its_successor_starts_is_succeeded() -> None:
    house = serving(2)
    house.supervisor.replace()
    house.end(house.started[0], -signal.SIGKILL)
    assert len(house.started) == 3
    house.ready(house.newest)
    assert len(house.started) == 4, "and the next is replaced"
    assert house.newest.number == 2


def test_one_that_is_replaced_and_does_not_end_is_killed() -> None:
    house = serving(1)
    house.supervisor.replace()
    house.ready(house.newest)
    house.turn(125 + STOP - 1)
    assert house.started[0].told == ["replaced"]
    house.turn(1)
    assert house.started[0].told == ["replaced", signal.SIGKILL]
    house.turn()
    assert house.newest.told == []


def test_those_that_wait_to_be_restarted_are_started_first_when_all_are_replaced() -> None:
    house = serving(2)
    for _ in range(3):
        crash(house, 2)
    house.end(house.newest, 3)
    house.supervisor.replace()
    assert house.newest.number == 2
    assert house.supervisor.unserved() == []
    assert house.started[0].told == []
    house.ready(house.newest)
    assert house.newest.number == 1


def test_a_stop_tells_all_and_ends_when_they_have() -> None:
    house = serving(2)
    house.supervisor.replace()
    house.supervisor.stop()
    assert [each.told for each in house.started] == [["stop"]] * 3
    house.end(house.started[0], 0)
    house.end(house.started[2], -signal.SIGTERM)  # it was not ready
    assert house.supervisor.status is None
    house.end(house.started[1], 0)
    assert house.supervisor.status == 0
    assert len(house.started) == 3


@pytest.mark.parametrize("status", [1, -signal.SIGKILL])
def test_a_stop_that_a_worker_did_not_survive_has_a_status(status: int) -> None:
    house = serving(2)
    house.supervisor.stop()
    house.end(house.started[0], status)
    house.end(house.started[1], 0)
    assert house.supervisor.status == 1


def test_one_that_does_not_stop_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    house = serving(1)
    house.supervisor.stop()
    house.turn(STOP)
    assert house.newest.told == ["stop", signal.SIGKILL]
    assert "worker 1 (pid 100) is not stopped in time, and is killed" in caplog.text
    house.turn()
    assert house.supervisor.status == 1


def test_a_stop_before_anything_is_ready() -> None:
    house = House(2)
    house.supervisor.stop()
    house.end(house.newest, -signal.SIGTERM)
    assert house.supervisor.status == 0
    assert len(house.started) == 1


def test_signals_are_passed_on_to_those_that_handle_them() -> None:
    house = serving(2)
    house.supervisor.replace()
    house.supervisor.signal(signal.SIGHUP)
    assert [each.told for each in house.started] == [[signal.SIGHUP], [signal.SIGHUP], []]
