"""The command with its output in a pipe, against a real Hypercorn: lines, JSON, exit statuses, refusals."""

import asyncio
import io
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from command_line import SECONDS, call, piped
from live_server import LiveServer, serving
from wire_app import PATH, RESULT, RUN, Wire

from mcp_app.server.fixes import install

ESCAPED_RESULT = (
    '{"domain": "example.com", "grade": "A", "note": "\\u001b[31mred\\u009b \\u202e [bold]no markup[/bold] ü"}'
)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def server(wire: Wire) -> AsyncIterator[LiveServer]:
    install()  # as released, Hypercorn leaves an HTTP/2 stream open when the application dies
    async with serving(wire) as live:
        yield live


async def test_each_event_is_one_line(server: LiveServer) -> None:
    outcome = await call(server.url + PATH, "scan")

    assert outcome.lines == [
        f'started t {{"run": "{RUN}", "cap_seconds": 120, "heartbeat_seconds": 15}}',
        'progress 1/3 {"step": "dns", "records": ["1.2.3.4"]}',
        'progress 2/3 {"message": "tls [red]done[/red]\\u001b]0;x\\u0007"}',
        'log warning "slow\\nserver"',
        f"complete 1.834s {ESCAPED_RESULT}",
    ]
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize(("flags", "version"), [([], "2"), (["--http1"], "1.1")])
async def test_http2_over_tls_unless_told_otherwise(
    server: LiveServer, wire: Wire, flags: list[str], version: str
) -> None:
    outcome = await call(server.tls_url + PATH, "scan", "--cacert", server.ca, *flags)

    assert (outcome.status, outcome.err) == (0, "")
    assert [headers["version"] for _, headers, _ in wire.requests] == [version]


async def test_from_the_root_the_route_is_found_in_the_manifest(server: LiveServer, wire: Wire) -> None:
    outcome = await call(server.url, "echo", "text=5", "n=5", "n2:=null", "list=1", "list=b")

    assert outcome.status == 0
    assert [route for route, _, _ in wire.requests] == ["GET /mcp.json", "GET /api/v1/mcp/tools", f"POST {PATH}"]
    assert outcome.lines[-1] == 'complete - {"text": "5", "n": 5, "n2": null, "list": [1, "b"]}'


async def test_what_is_asked_for_is_what_is_sent(server: LiveServer, wire: Wire) -> None:
    outcome = await call(
        server.url + PATH, "echo", "--params", '{"a": [1]}', "--cap-seconds", "9.5", "--heartbeat-seconds", "2",
        "--header", "X-Token: a b",
    )  # fmt: skip

    [(route, headers, body)] = wire.requests
    assert outcome.status == 0
    assert route == f"POST {PATH}"
    assert body == {"tool": "echo", "params": {"a": [1]}, "cap_seconds": 9.5, "heartbeat_seconds": 2}
    assert (headers["accept"], headers["content-type"]) == ("text/event-stream", "application/json")
    assert headers["x-token"] == "a b"


async def test_params_may_stand_anywhere_among_the_options(server: LiveServer) -> None:
    where = server.url + PATH
    outcome = await call("--http1", where, "echo", "a=1", "--cap-seconds", "9", "b=2", "--http1", "c=3")
    wrong = await call("--http1", where, "echo", "a=1", "--nonsense", "b=2")

    assert outcome.lines[-1] == 'complete - {"a": 1, "b": 2, "c": 3}'
    assert wrong.status == 2
    assert "--nonsense" in wrong.err


async def test_params_from_a_file_and_from_stdin(server: LiveServer, wire: Wire, tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"text": "ü"}')

    from_file = await call(server.url + PATH, "echo", "--params", f"@{file}", "n=1")
    from_stdin = await call(server.url + PATH, "echo", "--params", "-", stdin='{"text": "ü"}')

    assert from_file.lines[-1] == 'complete - {"text": "ü", "n": 1}'
    assert from_stdin.lines[-1] == 'complete - {"text": "ü"}'


async def test_a_server_with_nothing_but_the_stream(wire: Wire) -> None:
    wire.bare = True
    async with serving(wire) as server:
        outcome = await call(server.url + PATH, "echo", "text=5")

        tutorial = await call(server.url + PATH, "tutorial")

    assert outcome.lines[-1] == 'complete - {"text": 5}'
    assert outcome.status == 0
    assert tutorial.lines == ["started tutorial {}", 'progress - {"step": 1}', "complete - null"]
    assert (tutorial.status, tutorial.err) == (0, "")


async def test_a_server_that_answers_with_json_is_shown_as_events(server: LiveServer) -> None:
    outcome = await call(server.url + PATH, "oneobject")

    assert outcome.lines == ["progress 1/1 1", "complete - 2"]
    assert outcome.status == 0


@pytest.mark.parametrize(
    ("tool", "status", "error", "last"),
    [
        ("fails", 1, "tool_failed: This is tool_failed.\n  A hint.", "error tool_failed "),
        ("capped", 4, "time_cap: This is time_cap.\n  A hint.", "error time_cap "),
        ("stopped", 5, "shutdown: This is shutdown.\n  A hint.", "error shutdown "),
        ("unknown", 2, "unknown_tool: This is unknown_tool.\n  A hint.", None),
        ("invalid", 2, "invalid_params: This is invalid_params.\n  domain: is\\x1b[2J required. A hint.", None),
        ("busy", 3, "draining: This is draining.\n  A hint. Retry-After: 7 s.", None),
        ("cut", 5, f"the stream was cut before its last event (run {RUN})", "progress - 1"),
        ("nolast", 5, f"the stream was cut before its last event (run {RUN})", "progress - 1"),
        ("strange", 3, "events that are not of this kind: 'not json'", "started t"),
        ("empty", 3, "answered with text/event-stream that is not of this kind", None),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
async def test_every_other_end_has_its_status_and_its_words(
    server: LiveServer, tool: str, status: int, error: str, last: str | None, tls: bool
) -> None:
    where = [server.tls_url + PATH, "--cacert", server.ca] if tls else [server.url + PATH]
    outcome = await call(*where, tool)

    assert outcome.status == status
    assert outcome.err.startswith("mcp-app call: ")
    assert error in outcome.err
    assert outcome.lines[-1].startswith(last) if last else not outcome.out


async def test_json_prints_one_object(server: LiveServer, wire: Wire) -> None:
    outcome = await call(server.url + PATH, "scan", "--json")

    assert (outcome.status, outcome.err) == (0, "")
    assert len(outcome.lines) == 1
    assert json.loads(outcome.out) == {
        "type": "complete",
        "tool": "scan",
        "data": RESULT,
        "progress": [],
        "metadata": {},
    }
    assert "\x9b" not in outcome.out
    assert wire.requests[-1][1]["accept"] == "application/json"


@pytest.mark.parametrize(
    ("tool", "status", "code"),
    [("fails", 1, "tool_failed"), ("capped", 4, "time_cap"), ("unknown", 2, "unknown_tool"), ("busy", 3, "draining")],
)
async def test_json_prints_the_servers_object_for_errors_too(
    server: LiveServer, tool: str, status: int, code: str
) -> None:
    outcome = await call(server.url + PATH, tool, "--json")

    assert outcome.status == status
    assert json.loads(outcome.out)["error"]["code"] == code


async def test_json_from_a_server_that_only_streams(server: LiveServer) -> None:
    outcome = await call(server.url + PATH, "streamer", "--json")

    assert (outcome.status, outcome.out) == (3, "")
    assert "answered with a stream although JSON was asked for" in outcome.err


@pytest.mark.parametrize(
    ("path", "error", "advice"),
    [
        ("/page/sse", "answered with a web page", "Check the URL"),
        ("/moved", "redirects to https://example.com/new", "Call that URL"),
        ("/nothing", "not_found: This is not_found.", "A hint."),
        ("/nothing/", "not_found: This is not_found.", "A hint."),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]])
async def test_a_wrong_url_is_said_so(server: LiveServer, path: str, error: str, advice: str, flags: list[str]) -> None:
    outcome = await call(server.url + path, "scan", *flags)

    assert outcome.status == (2 if path.startswith("/nothing") else 3)
    if flags and path == "/nothing":
        assert json.loads(outcome.out)["error"]["code"] == "not_found"  # the server's own object
    else:
        assert error in outcome.err
        assert advice in outcome.err


@pytest.mark.parametrize("path", ["/", PATH])
async def test_nobody_listens(path: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await call(f"http://127.0.0.1:{unused.getsockname()[1]}{path}", "scan", "a=1")

    assert outcome.status == 3
    assert "cannot be reached: Connection refused" in outcome.err
    assert "Is the server running" in outcome.err
    assert len(outcome.err.splitlines()) == 2


async def test_a_name_that_does_not_exist() -> None:
    outcome = await call("http://nowhere.invalid/sse", "scan")

    assert outcome.status == 3
    assert "http://nowhere.invalid/sse cannot be reached: " in outcome.err
    assert "All connection" not in outcome.err


async def test_a_certificate_that_is_not_trusted(server: LiveServer, wire: Wire, tmp_path: Path) -> None:
    outcome = await call(server.tls_url, "scan", cwd=tmp_path)

    assert outcome.status == 3
    assert "is not trusted" in outcome.err
    assert "--cacert FILE" in outcome.err
    assert wire.requests == []


async def test_the_development_authority_of_the_project_is_found(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text("{}")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_bytes(server.ca.read_bytes())

    trusted = await call(server.tls_url, "scan", cwd=tmp_path)
    (tmp_path / "certs" / "ca.pem").write_text("no certificate")
    broken = await call(server.tls_url, "scan", cwd=tmp_path)

    assert (trusted.status, trusted.err) == (0, "")
    assert broken.status == 2
    assert "certs/ca.pem: not a file of PEM certificates" in broken.err


@pytest.mark.parametrize(
    ("scheme", "advice"), [("https", "Is it an http:// port?"), ("http", "begin the URL with https://")]
)
async def test_the_other_scheme(server: LiveServer, scheme: str, advice: str) -> None:
    port = server.port if scheme == "https" else server.tls_port
    outcome = await call(f"{scheme}://127.0.0.1:{port}{PATH}", "scan")

    assert outcome.status == 3
    assert advice in outcome.err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["localhost:8000", "scan"], "is not an http or https URL"),
        (["http://127.0.0.1:1/", "scan", "example.com"], "'example.com' is not key=value"),
        (["http://127.0.0.1:1/", "scan", "--params", "nope"], "what follows --params is not JSON"),
        (["http://127.0.0.1:1/", "scan", "--params", "@/nowhere"], "--params @/nowhere: No such file"),
        (["https://127.0.0.1:1/", "scan", "--cacert", "/nowhere"], "--cacert /nowhere: No such file"),
        (["https://127.0.0.1:1/", "scan", "--cacert", __file__], "not a file of PEM certificates"),
        (["http://127.0.0.1:1/", "scan", "--header", "no"], "is not 'Name: value'"),
        (["http://127.0.0.1:1/", "scan", "--header", "a: b\nc: d"], "is not 'Name: value'"),
        (["http://127.0.0.1:1/", "scan", "--header", "Accept: x"], "Accept is set by the command itself"),
        (["http://127.0.0.1:1/", "scan", "--cap-seconds", "0"], "--cap-seconds"),
        (["http://127.0.0.1:1/", "scan", "--cap-seconds", "inf"], "--cap-seconds"),
        (["http://127.0.0.1:1/"], "TOOL"),
    ],
)
async def test_a_wrong_command_line_is_status_2_and_one_clear_line(arguments: list[str], error: str) -> None:
    outcome = await call(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert error in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_cancels_the_run(server: LiveServer, wire: Wire, number: signal.Signals, status: int) -> None:
    async with piped(server.tls_url + PATH, "slow", "--cacert", server.ca) as child:
        async with asyncio.timeout(SECONDS):
            assert child.stdout is not None
            assert (await child.stdout.readline()).startswith(b"started ")
            child.send_signal(number)
            out, err = await child.communicate()

    assert child.returncode == status
    assert wire.seen == ["working", "deleted"]
    assert out.decode().splitlines()[-1].startswith("error cancelled ")
    assert err.decode() == "mcp-app call: cancelled: the server has ended the run\n"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("flags", [[], ["--json"], ["--http1"]])
async def test_where_there_is_nothing_to_delete_the_connection_is_closed(
    wire: Wire, secure: bool, flags: list[str]
) -> None:
    wire.bare = True
    async with serving(wire) as server:
        where = [server.tls_url + PATH, "--cacert", server.ca] if secure else [server.url + PATH]
        async with piped(*where, "slow", *flags) as child:
            await wire.until("working")
            child.send_signal(signal.SIGINT)
            async with asyncio.timeout(SECONDS):
                _, err = await child.communicate()
            await wire.until("left")

    assert child.returncode == 130
    assert err.decode() == "mcp-app call: cancelled: the connection was closed, which ends the run\n"


@asynccontextmanager
async def flooding(server: LiveServer) -> AsyncIterator[tuple[asyncio.subprocess.Process, io.FileIO]]:
    """The command writing without end into a pipe, and the other end of it, from which one event has been read."""
    ours, theirs = os.pipe()
    with io.FileIO(ours) as reader:
        async with piped(server.url + PATH, "flood", stdout=theirs) as child:
            os.close(theirs)
            there = asyncio.Event()
            asyncio.get_running_loop().add_reader(reader, there.set)
            async with asyncio.timeout(SECONDS):
                await there.wait()
            asyncio.get_running_loop().remove_reader(reader)
            assert reader.read(8) == b"started "
            yield child, reader


async def test_a_reader_that_leaves_ends_the_run(server: LiveServer, wire: Wire) -> None:
    async with flooding(server) as (child, ours):
        ours.close()
        async with asyncio.timeout(SECONDS):
            _, err = await child.communicate()
        await wire.until("left")

    assert (child.returncode, err) == (141, b"")


async def test_a_second_signal_leaves_at_once_even_while_a_write_blocks(server: LiveServer, wire: Wire) -> None:
    async with flooding(server) as (child, _):
        async with asyncio.timeout(SECONDS):
            while child.returncode is None:  # more than two, because two at once can be one
                child.send_signal(signal.SIGINT)
                await asyncio.sleep(0.2)
        await wire.until("left")

    assert child.returncode == 130
