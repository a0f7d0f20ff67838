"""hypercorn.toml: found, read, and refused where Hypercorn would serve something else than it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypercorn.config import Config

from mcp_app.config.defaults import default_text
from mcp_app.server import configuration, tls, vocabulary
from mcp_app.server.addresses import is_loopback, split
from mcp_app.server.configuration import load, refuse_exposed_binds, require_client_authority
from mcp_app.server.errors import StartError

ROOT = Path(__file__).parent.parent.parent


def written(folder: Path, text: str) -> Path:
    (folder / "hypercorn.toml").write_text(text)
    return folder


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(StartError) as caught:
        load(working=written(folder, text))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_shipped_file_is_the_one_at_the_top_of_the_repository() -> None:
    assert default_text("hypercorn.toml") == (ROOT / "hypercorn.toml").read_text(encoding="utf-8")


def test_the_shipped_file_is_served_as_it_reads(tmp_path: Path) -> None:
    config, source = load(working=tmp_path)
    assert source.name == "hypercorn.toml (shipped)"
    for key, value in tomllib.loads(default_text("hypercorn.toml")).items():
        assert getattr(config, key) == value, key
    assert (config.bind, config.insecure_bind) == (["localhost:8443"], ["localhost:8000"])
    assert config.keep_alive_max_requests >= 1_000_000, "at the default, request 1,001 silences a connection"
    assert config.h2_max_concurrent_streams >= 128
    assert config.read_timeout is None
    assert config.max_requests is None
    refuse_exposed_binds(config)


def test_every_number_of_the_shipped_file_has_its_reason() -> None:
    """A comment on its line, or on the line above its group."""
    lines = default_text("hypercorn.toml").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            assert "#" in line or lines[number - 1].startswith("#") or "=" in lines[number - 1], line


def test_hypercorn_itself_reads_it_the_same(tmp_path: Path) -> None:
    theirs, ours = Config.from_toml(ROOT / "hypercorn.toml"), load(working=tmp_path)[0]
    theirs.worker_class = ours.worker_class  # not set there: ours is the best that is installed
    assert vars(theirs) == vars(ours)


def test_a_file_of_the_working_directory_comes_first_and_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    config, source = load(working=written(tmp_path, "graceful_timeout = 3\n"))
    assert source.name == "hypercorn.toml"
    assert config.graceful_timeout == 3
    assert config.keep_alive_max_requests == 1_000_000
    assert config.certfile == "certs/cert.pem"


def test_addresses_and_certificate_go_together(tmp_path: Path) -> None:
    """Who names only an address means just that one, without TLS."""
    config, _ = load(working=written(tmp_path, 'bind = "127.0.0.1:9000"\n'))
    assert (config.bind, config.insecure_bind, config.ssl_enabled) == (["127.0.0.1:9000"], [], False)


def test_the_command_line_replaces_addresses(tmp_path: Path) -> None:
    config, _ = load(working=tmp_path, bind=["127.0.0.1:1", "[::1]:1"], insecure_bind=["127.0.0.1:2"])
    assert (config.bind, config.insecure_bind) == (["127.0.0.1:1", "[::1]:1"], ["127.0.0.1:2"])
    assert config.ssl_enabled


def test_a_file_named_is_read_instead(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("backlog = 7\n")
    config, source = load(tmp_path / "other.toml", working=written(tmp_path, "backlog = 8\n"))
    assert config.backlog == 7
    assert source.name.endswith("other.toml")
    with pytest.raises(StartError, match=r"missing\.toml: cannot be read: No such file"):
        load(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "worker-class = 'asyncio'",
            "hypercorn.toml:1: worker-class: Hypercorn has no such key; did you mean worker_c",
        ),
        ("# x\n\naccess_log = '-'", "hypercorn.toml:3: access_log: Hypercorn has no such key; did you mean accesslog?"),
        ("access_logfile = '-'", "did you mean accesslog?"),
        ("keep_alive = 5", "did you mean keep_alive_timeout?"),
        ("log_level = 'INFO'", "did you mean loglevel?"),
        ("ssl_certfile = 'x'", "did you mean certfile?"),
        ("zzz = 1", "hypercorn.toml:1: zzz: Hypercorn has no such key: remove it"),
        ("log = 'x'", "log: Hypercorn has no such key"),
        ("[hypercorn]\nbacklog = 1", "hypercorn.toml:1: hypercorn: Hypercorn ignores tables"),
        ("[tool.hypercorn]\nbacklog = 1", "hypercorn.toml:1: tool: Hypercorn ignores tables"),
        ("backlog = '100'", "backlog: '100' is not a whole number"),
        ("backlog = true", "backlog: true is not a whole number"),
        ("backlog = 1.5", "backlog: 1.5 is not a whole number"),
        ("backlog = -1", "backlog: -1 is not a count or a time"),
        ("graceful_timeout = inf", "graceful_timeout: inf is not a count or a time"),
        ("include_server_header = 'no'", "'no' is not true or false"),
        ("bind = 8000", "bind: 8000 is not a list of texts or a text in quotes"),
        ("bind = [8000]", "bind: [8000] is not a list of texts"),
        ("bind = []", "bind: no address to listen on"),
        ("read_timeout = 5", "read_timeout: it ends every HTTP/1.1 stream at that age"),
        ("read_timeout = 0", "read_timeout: it ends every HTTP/1.1 stream at that age"),
        ("max_requests = 1000", "max_requests: it restarts the process"),
        ("quic_bind = '127.0.0.1:4433'", "quic_bind: HTTP/3 is not served"),
        ("workers = 4", "workers: it is for Hypercorn's own command"),
        ("worker_class = 'trio'", "worker_class: 'asyncio' or 'uvloop'"),
        ("certfile = 'a.pem'\nbind = 'x'", "certfile: without keyfile everything would be served unencrypted"),
        ("keyfile = 'a.pem'\nbind = 'x'", "keyfile: without certfile everything would be served unencrypted"),
        ("verify_mode = 7\nca_certs = 'a.pem'", "hypercorn.toml:1: verify_mode: 0 asks no client for a certificate"),
        ("verify_mode = 2", "hypercorn.toml:1: verify_mode: without ca_certs no client's certificate counts"),
        ("bind = 'x'\ninsecure_bind = 'y'", "hypercorn.toml:2: insecure_bind: without certfile and keyfile it stays"),
        ("backlog = ", "hypercorn.toml: not TOML: Invalid value (at "),
        ("backlog = 1\nbacklog = 2", "hypercorn.toml: not TOML: Cannot overwrite a value"),
    ],
)
def test_what_would_be_served_differently_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(("installed", "expected"), [(True, "uvloop"), (False, "asyncio")])
def test_the_loop_is_uvloops_where_it_is_installed_and_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool, expected: str
) -> None:
    monkeypatch.setattr(configuration, "find_spec", lambda name: name if installed else None)
    assert load(working=tmp_path)[0].worker_class == expected
    (tmp_path / "hypercorn.toml").write_text('worker_class = "asyncio"\n')
    assert load(working=tmp_path)[0].worker_class == "asyncio"


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hypercorn.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match="not UTF-8"):
        load(working=tmp_path)


@pytest.mark.parametrize(
    "text", ["use_reloader = false", "quic_bind = []", "workers = 1", "[logconfig_dict]\nversion = 1"]
)
def test_what_does_no_harm_is_allowed(tmp_path: Path, text: str) -> None:
    load(working=written(tmp_path, text))


def test_the_vocabulary_is_hypercorns() -> None:
    keys = set(vocabulary._accepted_types())
    assert {"bind", "accesslog", "certfile", "keep_alive_max_requests", "websocket_ping_interval"} <= keys
    assert not keys & {"log", "ssl_enabled", "create_sockets", "from_toml", "logger_class", "application_path"}
    config = Config()
    for key in keys - vocabulary.OWN_KEYS.keys():
        setattr(config, key, getattr(config, key))  # none is read-only
    assert set(configuration.REFUSED) <= keys


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8000", True),
        ("127.9.9.9:1", True),
        ("localhost:8000", True),
        ("localhost", True),
        ("[::1]:8000", True),
        ("::1", False),  # as Hypercorn reads it: port 1 of the host ":"
        ("unix:/run/mcp.sock", True),
        ("0.0.0.0:8000", False),
        ("[::]:8000", False),
        (":8000", False),
        ("192.168.1.5:80", False),
        ("example.com:80", False),
        ("[::ffff:10.0.0.1]:80", False),
        ("fd://99999", False),
        ("fd://x", False),
    ],
)
def test_who_can_reach_an_address(bind: str, expected: bool) -> None:
    assert is_loopback(bind) is expected


def test_an_inherited_socket_is_judged_by_its_own_address_and_left_open() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_server(("0.0.0.0", 0)) as wild:
        assert is_loopback(f"fd://{sock.fileno()}")
        assert not is_loopback(f"fd://{wild.fileno()}")
        assert sock.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("bind", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), ("localhost", ("localhost", 8000))],
)
def test_an_address_is_read_as_hypercorn_reads_it(bind: str, expected: tuple[str, int]) -> None:
    assert split(bind) == expected


def test_strangers_are_refused_by_name() -> None:
    config = Config.from_mapping(bind=["127.0.0.1:1", "0.0.0.0:2"], insecure_bind=["[::]:3"])
    with pytest.raises(StartError, match=r"^0\.0\.0\.0:2, \[::\]:3 can be reached .* --allow-anonymous"):
        refuse_exposed_binds(config)


# --- certificates ----------------------------------------------------------------------------------------------------


def provided(working: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Config, tls.Development | None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(working / "state"))
    monkeypatch.chdir(working)
    config, source = load(**options)
    return config, tls.provide(config, source)


def test_on_loopback_a_project_gets_its_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mcp.json").touch()
    config, development = provided(tmp_path, monkeypatch)
    assert development is not None
    assert development.made
    assert Path(str(config.certfile)) == tmp_path / "certs" / "cert.pem"
    assert config.create_ssl_context() is not None
    _, again = provided(tmp_path, monkeypatch)
    assert again is not None
    assert not again.made


def test_elsewhere_they_are_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = provided(tmp_path, monkeypatch)
    assert Path(str(config.certfile)) == tmp_path / "state" / "mcp-app" / "certs" / "cert.pem"
    assert not (tmp_path / "certs").exists()


def test_beyond_loopback_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match=r"certfile: .*cert\.pem: No such file .* 'mcp-app certs'"):
        provided(tmp_path, monkeypatch, bind=["0.0.0.0:0"])
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("missing", ["certfile", "keyfile"])
def test_a_missing_file_is_named_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    there = {"certfile": "keyfile", "keyfile": "certfile"}[missing]
    (tmp_path / "there.pem").touch()
    written(tmp_path, f'bind = "127.0.0.1:0"\n{there} = "there.pem"\n{missing} = "gone.pem"\n')
    with pytest.raises(StartError, match=rf"hypercorn\.toml:3: {missing}: gone\.pem: No such file"):
        provided(tmp_path, monkeypatch)


def test_without_a_certificate_there_is_nothing_to_provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 'bind = "127.0.0.1:0"\n')
    assert provided(tmp_path, monkeypatch)[1] is None


# --- client certificates ---------------------------------------------------------------------------------------------

PAIR = 'bind = "127.0.0.1:0"\ncertfile = "cert.pem"\nkeyfile = "key.pem"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('bind = "127.0.0.1:0"\n', "certfile: MCP_APP_CLIENT_CERTIFICATES needs TLS"),
        (PAIR, "ca_certs: MCP_APP_CLIENT_CERTIFICATES needs the authority"),
        (PAIR + 'ca_certs = "ca.pem"\nverify_mode = 0\n', "4: ca_certs: MCP_APP_CLIENT_CERTIFICATES needs"),
    ],
)
def test_who_calls_by_certificate_is_asked_for_one(tmp_path: Path, text: str, problem: str) -> None:
    written(tmp_path, text)
    config, source = load(working=tmp_path)
    with pytest.raises(StartError, match=problem):
        require_client_authority(config, source)


def test_an_authority_is_enough(tmp_path: Path) -> None:
    written(tmp_path, PAIR + 'ca_certs = "ca.pem"\n')
    require_client_authority(*load(working=tmp_path))
