"""The command in a terminal: the bar, what a user types, and what a tool's output must not do to it."""

import os
import re
import signal

import pytest
from command_line import call, terminal
from live_server import LiveServer, serving
from wire_app import PATH, Wire


async def test_steps_are_lines_above_a_bar_and_the_result_stands_below(server: LiveServer) -> None:
    async with terminal(server.tls_url + PATH, "scan", "--full", "--cacert", server.ca) as shown:
        status = await shown.end()

    assert status == 0
    lines = [line.rstrip() for line in shown.plain.replace("\r", "\n").split("\n") if line.strip()]
    steps = [index for index, line in enumerate(lines) if re.match(r" +\d+\.\d s ", line)]
    assert [lines[index].split(" s ", 1)[1] for index in steps] == [
        'dns  {"records":["1.2.3.4"]}',
        r"tls [red]done[/red]\x1b]0;x\x07",
    ]
    assert r"warning: slow\x0aserver" in lines
    end = lines.index("scan: done in 1.8 s, 6 events")
    assert lines[end + 1 : end + 3] == ["{", '  "domain": "example.com",']
    assert lines[-1] == "}"
    assert "\x1b[?25l" in shown.text  # the bar hid the cursor,
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")  # and gave it back


async def test_what_comes_from_a_step_stands_behind_its_name(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "workflow") as shown:
        assert await shown.end() == 0

    lines = [line.rstrip() for line in shown.plain.replace("\r", "\n").split("\n") if line.strip()]
    assert [line.split(" s ", 1)[1] for line in lines if re.match(r" +\d+\.\d s ", line)] == [
        "fetch  page 1",
        r"scan/look\x1b[31m  ✓ dns",
    ]
    assert "fetch  info: slow" in lines


@pytest.mark.parametrize("how", ["--full", "--http1"])
async def test_nothing_a_tool_says_reaches_the_terminal_as_a_command(server: LiveServer, how: str) -> None:
    async with terminal(server.url + PATH, "scan", how) as shown:
        await shown.end()

    # What is left of escape sequences is what rich writes: colours, cursor, erase; no title, no C1, no bidi.
    assert not re.search("\x1b[^\\[]|[\x80-\x9f\u202e\x07]", shown.text)
    assert "[bold]no markup[/bold]" in shown.plain
    escaped = r"\u001b[31mred\u009b \u202e" if how == "--full" else r"\x1b[31mred\x9b \u202e"
    assert escaped in shown.plain


async def test_the_bar_shows_progress_the_clock_against_the_cap_and_heartbeats(server: LiveServer, wire: Wire) -> None:
    async with terminal(server.url + PATH, "slow") as shown:
        await shown.until(r"1/4.*0:0\d of 2:00.*♥ \d")
        await shown.until(r"0:02 of 2:00")
        shown.type("\x03")
        status = await shown.end()

    assert status == 130
    assert "mcp-app call: cancelled: the server has ended the run" in shown.plain
    assert wire.seen == ["working", "deleted"]
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")


async def test_ctrl_c_before_the_server_says_anything_closes_the_connection(wire: Wire) -> None:
    wire.bare = True
    async with serving(wire) as server, terminal(server.tls_url + PATH, "slow", "--cacert", server.ca) as shown:
        await wire.until("working")
        shown.type("\x03")
        status = await shown.end()
        await wire.until("left")

    assert status == 130


async def test_a_second_ctrl_c_leaves_at_once_and_gives_the_cursor_back(server: LiveServer, wire: Wire) -> None:
    wire.deaf = True
    async with terminal(server.url + PATH, "slow") as shown:
        await shown.until("begun")
        shown.type("\x03")
        await shown.until("cancelling")
        shown.type("\x03")
        status = await shown.end()
        await wire.until("left")

    assert status == 130
    assert "\x1b[?25h" in shown.text[shown.text.rindex("cancelling") :]
    assert "cancelled:" not in shown.text


async def test_a_server_that_does_not_answer_the_cancel_is_left_after_seconds(server: LiveServer, wire: Wire) -> None:
    wire.deaf = True
    async with terminal(server.url + PATH, "slow") as shown:
        await shown.until("begun")
        shown.type("\x03")
        status = await shown.end()
        await wire.until("left")

    assert status == 130
    assert "the connection was closed, which ends the run" in shown.plain


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
async def test_no_escape_sequence_where_none_is_wanted(server: LiveServer, changes: dict[str, str]) -> None:
    async with terminal(server.url + PATH, "scan", **changes) as shown:
        status = await shown.end()

    assert status == 0
    assert "\x1b" not in shown.text
    assert "progress 1/3 {" in shown.text


async def test_no_escape_sequence_in_a_pipe_whatever_is_forced(server: LiveServer) -> None:
    outcome = await call(server.url + PATH, "scan", FORCE_COLOR="1", CLICOLOR_FORCE="1", TTY_COMPATIBLE="1")

    assert "\x1b" not in outcome.out + outcome.err


async def test_json_in_a_terminal_is_indented(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "scan", "--json") as shown:
        status = await shown.end()

    assert status == 0
    assert shown.text.startswith('{\r\n  "type": "complete",\r\n')
    assert "\x1b" not in shown.text


async def test_a_failure_takes_the_bar_away_and_says_why(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "fails") as shown:
        status = await shown.end()

    assert status == 1
    assert shown.plain.rstrip().endswith("mcp-app call: tool_failed: This is tool_failed.\r\n  A hint.")


async def test_a_closed_terminal_ends_the_run(server: LiveServer, wire: Wire) -> None:
    async with terminal(server.url + PATH, "slow") as shown:
        await shown.until("begun")
        os.kill(shown.child.pid, signal.SIGHUP)
        status = await shown.end()

    assert status == 129
    assert wire.seen == ["working", "deleted"]


async def test_a_narrow_terminal(server: LiveServer) -> None:
    async with terminal(server.url + PATH, "scan", "--full", columns=20) as shown:
        status = await shown.end()

    assert status == 0
    assert '"domain": "example.com",' in shown.plain  # copied from the terminal, the result is still JSON
