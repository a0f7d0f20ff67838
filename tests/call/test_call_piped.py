"""The command with its output in a pipe, against a real Hypercorn: lines, JSON, exit statuses, refusals."""

import json
from pathlib import Path

import pytest
from command_line import call
from live_server import LiveServer, serving
from wire_app import PATH, RESULT, RUN, Wire

ESCAPED_RESULT = '{"domain":"example.com","grade":"A","note":"\\u001b[31mred\\u009b \\u202e [bold]no markup[/bold] ü"}'


async def test_each_event_is_one_line(server: LiveServer) -> None:
    outcome = await call(server.url + PATH, "scan")

    assert outcome.lines == [
        f'started t {{"run":"{RUN}","cap_seconds":120,"heartbeat_seconds":15}}',
        'progress 1/3 {"step":"dns","records":["1.2.3.4"]}',
        'progress 2/3 {"message":"tls [red]done[/red]\\u001b]0;x\\u0007"}',
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
    assert outcome.lines[-1] == 'complete - {"text":"5","n":5,"n2":null,"list":[1,"b"]}'


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

    assert outcome.lines[-1] == 'complete - {"a":1,"b":2,"c":3}'
    assert wrong.status == 2
    assert "--nonsense" in wrong.err


async def test_params_from_a_file_and_from_stdin(server: LiveServer, wire: Wire, tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"text": "ü"}')

    from_file = await call(server.url + PATH, "echo", "--params", f"@{file}", "n=1")
    from_stdin = await call(server.url + PATH, "echo", "--params", "-", stdin='{"text": "ü"}')

    assert from_file.lines[-1] == 'complete - {"text":"ü","n":1}'
    assert from_stdin.lines[-1] == 'complete - {"text":"ü"}'


async def test_a_server_with_nothing_but_the_stream(wire: Wire) -> None:
    wire.bare = True
    async with serving(wire) as server:
        outcome = await call(server.url + PATH, "echo", "text=5")

        tutorial = await call(server.url + PATH, "tutorial")

    assert outcome.lines[-1] == 'complete - {"text":5}'
    assert outcome.status == 0
    assert tutorial.lines == ["started tutorial {}", 'progress - {"step":1}', "complete - null"]
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


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["localhost:8000", "scan"], "is not an http or https URL"),
        (["http://127.0.0.1:1/", "scan", "example.com"], "'example.com' is not key=value"),
        (["http://127.0.0.1:1/", "scan", "--params", "nope"], "what follows --params is not JSON"),
        (["http://127.0.0.1:1/", "scan", "--params", "@/nowhere"], "--params @/nowhere: No such file"),
        (["https://127.0.0.1:1/", "scan", "--cacert", "/nowhere"], "--cacert /nowhere: No such file"),
        (["https://127.0.0.1:1/", "scan", "--cacert", __file__], "not a file of PEM certificates"),
        (["https://127.0.0.1:1/", "scan", "--cert", "/nowhere"], "--cert /nowhere: No such file"),
        (["https://127.0.0.1:1/", "scan", "--cert", __file__], "no certificate with its key"),
        (["https://127.0.0.1:1/", "scan", "--key", __file__], "--key without --cert"),
        (["http://127.0.0.1:1/", "scan", "--cert", __file__], "--cert without TLS"),
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
