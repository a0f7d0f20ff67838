"""Installing the fixes: only on the source they were written for, once, and with a way out."""

from __future__ import annotations

import dataclasses
import inspect
import linecache
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h2 import H2Protocol, StreamBuffer

from mcp_app.server import fixes
from mcp_app.server.errors import StartError
from mcp_app.server.fixes.replacing import _lines_of, fingerprint, source_of

EVERY = (*fixes.FIXES, *fixes.SPEEDUPS)


@pytest.fixture(autouse=True)
def _as_released() -> object:
    was_installed = fixes._installed
    fixes.uninstall()
    yield
    fixes.uninstall()
    if was_installed:
        fixes.install()


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hypercorn in which one method reads differently."""

    async def pop(self: StreamBuffer, max_length: int) -> bytes:
        return b"another version"

    monkeypatch.setattr(StreamBuffer, "pop", pop)


def test_the_pinned_hypercorn_is_what_every_fix_was_written_for() -> None:
    assert {fix.name: fix.mismatch() for fix in EVERY} == dict.fromkeys((fix.name for fix in EVERY), None)


OWNERS = {each.owner for fix in EVERY for each in fix.replacements}
METHODS = [each for owner in OWNERS for each in vars(owner).values() if inspect.isfunction(each)]
REPLACED = [getattr(each.owner, each.name) for fix in EVERY for each in fix.replacements]


@pytest.mark.parametrize(
    "subject", [*(each for each in METHODS if Path(each.__code__.co_filename).is_file()), *REPLACED, H2Protocol]
)
def test_what_is_fingerprinted_is_the_whole_source(subject: Callable[..., object]) -> None:
    assert source_of(subject) == inspect.getsource(subject)


@pytest.mark.parametrize("subject", [None, 7, len, int, dataclasses.make_dataclass("A", ["a"]).__init__])
def test_what_has_no_source_has_no_fingerprint(subject: object) -> None:
    assert fingerprint(subject) == "no source"


def test_each_fix_is_a_file_of_its_name_and_says_what_it_fixes() -> None:
    folder = Path(fixes.__file__).parent
    assert {fix.name for fix in fixes.FIXES} | {"__init__", "replacing", "dropping", "well_formed"} == {
        path.stem for path in folder.glob("*.py")
    }
    for fix in fixes.FIXES:
        assert fix.defect
        assert not fix.gain
        assert all(re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+/(issues|pull)/\d+", url) for url in fix.upstream)


def test_each_speedup_is_a_file_of_its_name_and_says_what_it_gained() -> None:
    folder = Path(fixes.__file__).parent / "speedups"
    assert {fix.name for fix in fixes.SPEEDUPS} | {"__init__"} == {path.stem for path in folder.glob("*.py")}
    assert all(fix.gain and fix.defect and not fix.upstream for fix in fixes.SPEEDUPS)


def test_the_speedups_can_be_left_out() -> None:
    released = fingerprint(TCPServer.__init__)
    fixes.install(speedups=False)
    assert fingerprint(TCPServer.__init__) == released
    fixes.uninstall()
    fixes.install()
    assert fingerprint(TCPServer.__init__) != released


def test_a_speedup_that_does_not_fit_is_left_out_and_the_start_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def __init__(self: TCPServer, *args: object) -> None:  # noqa: N807 - it replaces one
        """Another version."""

    monkeypatch.setattr(TCPServer, "__init__", __init__)
    with caplog.at_level(logging.WARNING, "mcp_app.server"):
        fixes.install()
    assert TCPServer.__init__ is __init__
    assert "speed-up 'one_write'" in caplog.text


def test_what_was_read_is_forgotten_and_nobody_elses_sources_are() -> None:
    """A notebook's are nowhere but in `linecache`, and nothing of Hypercorn is to stay there."""
    linecache.cache["<cell 1>"] = (12, None, ["import this\n"], "<cell 1>")
    try:
        before = dict(linecache.cache)
        fixes.install()
        assert linecache.cache == before
        assert _lines_of.cache_info().currsize == 0
    finally:
        linecache.cache.pop("<cell 1>", None)


def test_installing_twice_wraps_once() -> None:
    fixes.install()
    once = {(each.owner, each.name): getattr(each.owner, each.name) for fix in EVERY for each in fix.replacements}
    fixes.install()
    assert once == {key: getattr(*key) for key in once}


def test_taken_back_it_is_as_released() -> None:
    released = fingerprint(H2Protocol._handle_events)
    fixes.install()
    assert fingerprint(H2Protocol._handle_events) != released
    fixes.uninstall()
    assert fingerprint(H2Protocol._handle_events) == released


@pytest.mark.usefixtures("changed")
def test_unknown_source_is_refused_in_one_line_and_nothing_is_changed() -> None:
    untouched = H2Protocol._handle_events
    with pytest.raises(fixes.FixMismatch) as caught:
        fixes.install()
    message = str(caught.value)
    assert isinstance(caught.value, StartError)
    assert "\n" not in message
    for part in ("'backpressure'", "hypercorn 0.18", "hypercorn.protocol.h2.StreamBuffer.pop", "MCP_APP_FIXES=warn"):
        assert part in message
    assert H2Protocol._handle_events is untouched


@pytest.mark.usefixtures("changed")
def test_as_a_warning_the_one_fix_is_left_out_and_the_others_are_applied(caplog: pytest.LogCaptureFixture) -> None:
    unknown, released = StreamBuffer.pop, H2Protocol._handle_events
    with caplog.at_level(logging.WARNING, "mcp_app.server"):
        fixes.install("warn")
    assert StreamBuffer.pop is unknown
    assert H2Protocol._handle_events is not released
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "makes the server hold everything" in caplog.text


def test_a_method_that_is_gone_is_a_mismatch() -> None:
    fix = fixes.FIXES[0]
    gone = fix._replace(replacements=(fix.replacements[0]._replace(name="no_such_method"),))
    assert gone.mismatch() == "hypercorn.protocol.h2.StreamBuffer.no_such_method"
