"""tests/conftest.py itself: its bounds and refusals, shown on small test files of which each does one thing wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
PROGRAMS = CONFTEST.with_name("programs.py")


def run(folder: Path, source: str, *, ci: bool = False, by: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run pytest in a process of its own, which `by` starts, as our configuration has it, on a file of this source."""
    for file in (CONFTEST, PROGRAMS):
        (folder / file.name).write_text(file.read_text())
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\naddopts = --strict-markers -ra\n")
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    done = subprocess.run(
        [*by, sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment | ({"CI": "true"} if ci else {}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


HANGS = """
import asyncio, conftest, hypothesis, pytest, threading, time
from hypothesis import strategies

conftest.SETTLE = 0.01
pytestmark = pytest.mark.time_bound(0.3)

def test_computes():
    while True: pass
def test_sleeps(): time.sleep(30)
def test_waits_for_a_lock(): threading.Event().wait()
async def test_waits_in_a_loop(): await asyncio.Event().wait()
async def test_blocks_a_loop(): time.sleep(30)
def test_catches_every_exception():
    while True:
        try: time.sleep(30)
        except Exception: pass
@hypothesis.settings(deadline=None)
@hypothesis.given(strategies.integers())
def test_hangs_within_hypothesis(n): time.sleep(30)

@pytest.fixture
def slow(): time.sleep(30)
def test_setup_hangs(slow): pass

@pytest.fixture
def slow_at_the_end():
    yield
    time.sleep(30)
def test_teardown_hangs(slow_at_the_end): pass
"""


def test_what_hangs_fails_at_its_bound(tmp_path: Path) -> None:
    status, output = run(tmp_path, HANGS)
    assert status == 1, output
    assert "7 failed, 1 passed, 3 errors" in output, output  # one error is the task of the test that waits in a loop
    assert output.count("OutOfTime: the test took more than 0.3 s") >= 7
    assert "OutOfTime: its setup took more than 0.3 s" in output
    assert "OutOfTime: its teardown took more than 0.3 s" in output


# That no program is found is said to the table itself: where they are installed nothing else hides them.
SKIPS = """
import programs, pytest
programs.path_of = lambda name: None

def test_passes(): pass
def test_skips(): pytest.skip("no reason")
@pytest.mark.skipif(True, reason="no reason")
def test_marked(): pass
@pytest.mark.needs("redis-server")
def test_needs(): pass
"""


def test_a_skip_is_a_skip_here_and_a_failure_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_file.py").write_text("import pytest\npytest.skip('no reason', allow_module_level=True)\n")
    status, output = run(tmp_path, SKIPS)
    assert status == 0, output
    assert "1 passed, 4 skipped" in output
    status, output = run(tmp_path, SKIPS, ci=True)
    assert status == 1, output
    summary = output.partition("skipped, which CI does not allow")[2]
    assert "test_it.py::test_needs: Skipped: needs redis-server (apt-get install redis-server)" in summary
    for skipped in ("test_it.py::test_skips", "test_it.py::test_marked", "test_file.py"):
        assert f"{skipped}: Skipped: no reason" in summary


def test_an_expected_failure_is_none_in_ci(tmp_path: Path) -> None:
    status, output = run(tmp_path, "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n", ci=True)
    assert status == 0, output


def test_a_need_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    status, output = run(tmp_path, "import pytest\n@pytest.mark.needs('curll')\ndef test_it(): pass\n")
    assert status != 0
    assert "needs('curll'): known are apache2, caddy, chromium, containers, " in output


LEAKS = {
    "threads left behind: lazy": (
        "import threading, time\ndef test_it(): threading.Thread(target=time.sleep, args=(1,), name='lazy').start()"
    ),
    "tasks left behind: lazy": (
        "import asyncio\n"
        "async def forever():\n"
        "    while True:\n"
        "        try: await asyncio.sleep(30)\n"
        "        except asyncio.CancelledError: return\n"
        "async def test_it(): globals()['task'] = asyncio.create_task(forever(), name='lazy')"
    ),
}


@pytest.mark.parametrize(("message", "source"), LEAKS.items(), ids=["thread", "task"])
def test_what_is_left_running_fails_the_test(tmp_path: Path, message: str, source: str) -> None:
    source = f"import conftest\nconftest.SETTLE = 0.2\n{source}"
    status, output = run(tmp_path, source)
    assert status == 1, output
    assert message in output
    status, output = run(tmp_path, f"import pytest\npytestmark = pytest.mark.leaves('on purpose')\n{source}\n")
    assert status == 0, output


def test_what_ends_by_itself_is_no_leak(tmp_path: Path) -> None:
    source = (
        "import asyncio, threading, time\n"
        "async def test_it():\n"
        "    threading.Thread(target=time.sleep, args=(0.2,)).start()\n"
        "    globals()['task'] = asyncio.create_task(asyncio.sleep(0.2))"
    )
    status, output = run(tmp_path, source)
    assert status == 0, output


def test_programs_hear_the_signals_that_the_tests_were_made_to_ignore(tmp_path: Path) -> None:
    """As by nohup, and by a shell that put the tests into the background."""
    source = (
        "import os, pytest, signal, subprocess, sys\n"
        "@pytest.mark.parametrize('number', [signal.SIGHUP, signal.SIGINT])\n"
        "def test_it(number):\n"
        "    command = f'import signal; print(signal.getsignal({int(number)}) is signal.SIG_IGN)'\n"
        "    assert subprocess.check_output([sys.executable, '-c', command]) == b'False\\n'\n"
        "    os.kill(os.getpid(), number)\n"
    )
    status, output = run(tmp_path, source, by=("sh", "-c", 'trap "" HUP INT; exec "$@"', "sh"))
    assert status == 0, output
    assert "2 passed" in output
