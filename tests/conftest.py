"""What holds for every test: a bound on its time, nothing left running behind it, no silent skip in CI.

    @pytest.mark.needs("chromium", "curl")   skipped, with the reason, where a program is missing; a failure in CI
    @pytest.mark.time_bound(120)             another bound than TIME_BOUND, in seconds, for each of the test's phases
    @pytest.mark.leaves("why")               leaves a thread or task behind, and why that is right

Fixtures of one part of the tests belong in that part's own conftest.py.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import pytest
from programs import NEEDED, Needed, missing, path_of

from mcp_app.loading import toolfile

# A time is no verdict: an example that takes long on a busy machine is no failure (bench/ measures).
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Seconds that setup, call and teardown of one test may last. Nearly all need milliseconds; the slowest drive a browser
# on a busy machine.
TIME_BOUND = 60.0
# Seconds between further attempts: the first may be swallowed by a callback of the event loop.
REPEAT = 5.0
# Seconds after the bounds of all phases at which the process prints its stacks and exits, as no attempt got through.
LAST_RESORT = 60.0
# Seconds in which what a test started may end by itself, once the test is over.
SETTLE = 5.0


@pytest.fixture(scope="session")
def needed() -> Mapping[str, Needed]:
    """The table above, for the test that compares it with what CI installs."""
    return NEEDED


@pytest.fixture(params=[True, False], ids=["lane", "quart"])
def lane(request: pytest.FixtureRequest) -> bool:
    """For `create_app(lane=lane)`: a test with it runs by the lane and by Quart, and must see the same."""
    return bool(request.param)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """program("nginx") is its path; the test is skipped where it is not installed."""

    def find(name: str) -> str:
        if lacking := missing((name,)):
            pytest.skip(f"needs {lacking[0]}")
        path = path_of(name)
        assert path is not None, f"{name} is not a program"
        return path

    return find


# --- no silent skip in CI --------------------------------------------------------------------------------------------


class SkipsAreFailures:
    """With CI set: a skipped test, or test file, fails the session, and the summary says which and why."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):  # pytest reports an expected failure as skipped, too
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        self.skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.skipped:
            terminalreporter.section("skipped, which CI does not allow", red=True, bold=True)
            for line in self.skipped:
                terminalreporter.line(line)


# --- every test is bounded -------------------------------------------------------------------------------------------


class OutOfTime(BaseException):
    """Not an Exception, nor what pytest.fail raises: the code under test and hypothesis take those for their own."""


class TimeBound:
    """Each phase of a test fails when its time is over, whether it computes, sleeps or waits in a loop."""

    def __init__(self) -> None:
        # Standard error as it is now: during a test pytest puts a file in its place, which nobody reads after an exit.
        self._stderr = os.dup(2)

    def pytest_unconfigure(self) -> None:
        os.close(self._stderr)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """The last resort is a thread, which takes its time to come and go: one for all phases."""
        faulthandler.dump_traceback_later(3 * _seconds(item) + LAST_RESORT, exit=True, file=self._stderr)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        return (yield from self._bound(item, "its setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        return (yield from self._bound(item, "the test"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        return (yield from self._bound(item, "its teardown"))

    def _bound(self, item: pytest.Item, phase: str) -> Iterator[None]:
        seconds = _seconds(item)

        def fail(signum: int, frame: FrameType | None) -> None:
            raise OutOfTime(f"{phase} took more than {seconds:g} s")

        before = signal.signal(signal.SIGALRM, fail)
        signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("time_bound")
    return float(marker.args[0]) if marker else TIME_BOUND


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "needs(*names): programs and the like without which the test is skipped; see tests/conftest.py",
        "time_bound(seconds): how long each phase of this test may last",
        "leaves(why): the test may leave threads or tasks behind",
    ):
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(TimeBound(), "time-bound")
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        config.pluginmanager.register(SkipsAreFailures(), "skips-are-failures")
    _let_programs_hear()


def _let_programs_hear() -> None:
    """What nohup, or a shell with a background job, has us ignore, the programs that tests start would ignore as well;
    a function that does nothing is the same for us, and is not handed on to them."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="module", autouse=True)
def only_this_module_is_walked() -> None:
    """What was there before, modules, thousands of tests and reports, stays until the end. To walk it takes half a
    second, and hundreds of tests ask for a collection of what they have left."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = tuple(name for marker in item.iter_markers("needs") for name in marker.args)
    if lacking := missing(names):
        pytest.skip(f"needs {', '.join(lacking)}")


# --- nothing is left running -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before a test's own fixtures, and so torn down after them: what lives on then is a leak."""
    if request.node.get_closest_marker("leaves"):
        yield
        return
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_task_left")
    before, modules, folder = set(threading.enumerate()), set(sys.modules), tmp_path_factory.getbasetemp()
    yield
    if imported := _of_folder(folder, set(sys.modules) - modules):
        pytest.fail(f"modules left behind: {', '.join(imported)}: use the fixture imports_as_before")
    # Daemon threads are exempt: they are made to be abandoned, by us (sync tools) and by libraries.
    until = time.monotonic() + SETTLE
    while left := [each for each in threading.enumerate() if each not in before and not each.daemon]:
        if time.monotonic() > until:
            pytest.fail(f"threads left behind: {', '.join(each.name for each in left)}")
        left[0].join(until - time.monotonic())


async def ended_tasks() -> AsyncIterator[None]:
    """For tests with a loop: every task that was made on it has ended."""
    before = asyncio.all_tasks()  # of fixtures that outlive the test
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=SETTLE)  # those that were cancelled need a turn or two
    stuck = [task for task in left if not task.done()]
    if stuck:
        pytest.fail("tasks left behind: " + ", ".join(f"{each.get_name()} {each.get_coro()!r}" for each in stuck))


no_task_left = pytest.fixture(ended_tasks, name="no_task_left")


@pytest.fixture
def imports_as_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For a test that has files of its own imported: they are forgotten, so that another can have some of these names.
    Modules of other files stay: to import them twice would make two of each class."""
    path, before = list(sys.path), set(sys.modules)
    toolfile._imported.clear()
    yield
    toolfile._imported.clear()
    sys.path[:] = path
    for name in _of_folder(tmp_path_factory.getbasetemp(), set(sys.modules) - before):
        del sys.modules[name]


def _of_folder(folder: Path, names: set[str]) -> list[str]:
    """Those of the imported modules whose files are somewhere in the folder."""
    return sorted(name for name in names if any(Path(each).is_relative_to(folder) for each in _places(name)))


def _places(name: str) -> Iterator[str]:
    """The file of an imported module, or the folders of a package that has none."""
    module = sys.modules[name]
    if file := getattr(module, "__file__", None):
        yield str(file)
    yield from map(str, getattr(module, "__path__", None) or ())
