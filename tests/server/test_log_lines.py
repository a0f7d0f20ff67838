"""Lines of the log: whatever a caller sends stands in one line, in its place, and escaped."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import unicodedata
from typing import Any

import pytest
from hypercorn.config import Config

from mcp_app.server.logs import access
from mcp_app.server.logs.access import ServerLogger
from mcp_app.server.logs.lines import MAX_CHARACTERS, Clock, LogFormat, escape, quote

ID = "0123456789abcdef" * 2
CONTROLS = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp")]
DIRECTIONS = list("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def record(message: str, *args: Any, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("mcp_app.runs", logging.ERROR, __file__, 1, message, args, info)


@pytest.mark.parametrize("unsafe", [*CONTROLS, *DIRECTIONS, "\ud800"], ids=lambda c: f"{ord(c):04x}")
def test_nothing_ends_a_line_or_moves_a_cursor(unsafe: str) -> None:
    for line in (
        escape(f"a{unsafe}b"),
        quote(f"a{unsafe}b"),
        LogFormat().format(record("%s failed", f"/x{unsafe}y")),
        LogFormat("json").format(record("%s failed", f"/x{unsafe}y")),
    ):
        assert unsafe not in line
        assert line.isprintable()
        line.encode()


def test_what_is_printable_stays_and_quotes_cannot_be_ended() -> None:
    assert escape("/grüße/日本") == "/grüße/日本"
    assert quote('a" 200 0.1 s\\') == '"a\\" 200 0.1 s\\\\"'


def test_ids_are_cut_short_and_those_to_look_for_are_not() -> None:
    assert escape(f"run {ID} [trace_id {ID}]") == f"run 01234567.. [trace_id {ID}]"
    assert escape("[error_id 0123456789abcdef]") == "[error_id 0123456789abcdef]"
    assert ID not in LogFormat("json").format(record("run %s failed", ID))
    run = record("a run")
    run.fields = {"run": ID, "trace_id": ID, "error_id": None, "peer": "x\n\x7f"}
    line = LogFormat("json").format(run)
    assert {**json.loads(line), "time": 0, "pid": 0} == {
        "time": 0,
        "level": "ERROR",
        "logger": "mcp_app.runs",
        "pid": 0,
        "run": "01234567..",
        "trace_id": ID,
        "peer": "x\n\x7f",
    }
    assert line.isprintable()


def test_a_message_has_a_bound() -> None:
    assert len(escape("x" * 10 * MAX_CHARACTERS)) < MAX_CHARACTERS + 100


def failed(text: str) -> BaseException:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_no_line_of_a_traceback_can_pass_for_another() -> None:
    error = failed(f"x\n2026-01-01T00:00:00.000+00:00 [1] INFO access: forged\x1b[2J\u2028{ID}")
    first, *others = LogFormat().format(record("it failed", error=error)).split("\n")
    assert first.endswith("ERROR mcp_app.runs: it failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)
    assert others[-2].startswith("  ValueError: x")
    assert "forged\\x1b[2J\\u202801234567.." in others[-1]
    line = LogFormat("json").format(record("it failed", error=error))
    assert "\n" not in line
    assert "ValueError: x\n2026" in json.loads(line)["traceback"]


def test_the_traceback_of_a_deep_recursion_keeps_both_ends() -> None:
    formatted = LogFormat().format(record("it failed", error=failed("begin" + "x\n" * 100_000 + "end")))
    assert len(formatted) < 5 * MAX_CHARACTERS
    assert "Traceback" in formatted
    assert formatted.endswith("end")


def test_times_have_milliseconds_and_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        clock = Clock()
        assert clock.text(1_000_000_000.25) == "2001-09-09T07:16:40.250+05:30"
        assert clock.text(1_000_000_000.999) == "2001-09-09T07:16:40.999+05:30"
        assert clock.text(1_000_000_001.0) == "2001-09-09T07:16:41.000+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


def scope(path: str = "/x", **changes: Any) -> Any:
    fields = {"type": "http", "http_version": "2", "method": "GET", "path": path, "client": ("::1", 5), "headers": []}
    return fields | changes


async def lines_of(format_: str, *requests: tuple[Any, int | None], level: str = "INFO") -> list[str]:
    """What ServerLogger writes of these requests."""
    config = Config.from_mapping({"accesslog": "-", "loglevel": level, "access_log_format": format_})
    written: list[str] = []

    class Collected:
        def write(self, line: str) -> None:
            written.append(line)

    logger = ServerLogger(config)
    logger._output = Collected()  # type: ignore[assignment]
    for request, status in requests:
        await logger.access(request, None if status is None else {"status": status, "headers": []}, 0.25)
    return written


async def test_a_request_is_one_line() -> None:
    [line] = await lines_of("text", (scope("/api"), 200))
    assert line.endswith(' INFO access: [::1]:5 "GET /api HTTP/2" 200 0.250 s')
    [line] = await lines_of("text", (scope("/api", client=None), None))
    assert line.endswith(' INFO access: - "GET /api HTTP/2" - 0.250 s')
    [line] = await lines_of("json", (scope("/api"), 200))
    assert {**json.loads(line), "time": 0, "pid": 0} == {
        "time": 0,
        "level": "INFO",
        "logger": "access",
        "pid": 0,
        "peer": "[::1]:5",
        "method": "GET",
        "path": "/api",
        "http": "2",
        "status": 200,
        "seconds": 0.25,
    }


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize("field", ["path", "method", "client"])
@pytest.mark.parametrize("unsafe", ["\n", "\r", "\x1b[31m", "\x9b2J", "\u2028", "\u2029", "\0", "\x7f", '" 200 1 s'])
async def test_no_field_of_a_request_forges_another(format_: str, field: str, unsafe: str) -> None:
    value: Any = (f"/x{unsafe}", 5) if field == "client" else f"/x{unsafe}"
    [line] = await lines_of(format_, (scope(**{field: value}), 404))
    assert line.isprintable()
    if format_ == "json":
        assert json.loads(line)["status"] == 404
    elif field != "client":
        assert re.search(r'INFO access: \S+ "(?:[^"\\]|\\.)*" 404 0\.250 s$', line)


async def test_no_id_and_no_endless_path_is_in_a_line() -> None:
    for format_ in ("text", "json"):
        lines = await lines_of(format_, (scope(f"/runs/{ID}/result"), 200), (scope("/" + "y" * 60_000), 404))
        assert "/runs/01234567../result" in lines[0]
        assert len(lines[1]) < 2 * access.MAX_PATH


async def test_files_of_a_page_are_for_debugging() -> None:
    page = [(scope("/"), 200), (scope("/page.js"), 200), (scope("/style.css"), 304), (scope("/gone.js"), 404)]
    assert [line.split('"')[1] for line in await lines_of("text", *page)] == ["GET / HTTP/2", "GET /gone.js HTTP/2"]
    assert len(await lines_of("text", *page, level="DEBUG")) == 4
    assert await lines_of("text", *page, level="WARNING") == []


async def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="'xml'"):
        LogFormat("xml")
