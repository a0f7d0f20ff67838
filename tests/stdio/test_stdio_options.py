"""What `mcp-app serve --stdio` takes and what it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stdio_process import BOUND, command, environment, stdio_process
from stdio_stage import modern

from mcp_app.cli import main

SERVED = Path(__file__).with_name("served_stdio.py")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--bind", "127.0.0.1:1"], "--bind"),
        (["--insecure-bind", "127.0.0.1:1"], "--insecure-bind"),
        (["--port", "0"], "--port"),
        (["--no-tls"], "--no-tls"),
        (["--allow-anonymous"], "--allow-anonymous"),
    ],
)
def test_options_about_addresses_are_refused(options: list[str], named: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--stdio", *options, str(SERVED)]) == 1
    out, error = capfd.readouterr()
    assert out == ""
    assert error == f"mcp-app: {named} is about addresses, and --stdio has none: leave one of them out\n"


def test_reload_is_refused_with_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--stdio", "--reload", str(SERVED)]) == 1
    assert "--reload would end the client's session" in capfd.readouterr().err


def tools_of(tmp_path: Path, *arguments: str | Path) -> list[str]:
    with stdio_process(tmp_path, *arguments) as here:
        listed = here.ask(modern("tools/list"))["result"]["tools"]
        here.close()
        assert here.ended() == 0
    return [each["name"] for each in listed]


APP = """\
from pathlib import Path

from mcp_app import create_app, tool


@tool
async def of_app() -> str:
    return "app"


app = create_app(tools=[of_app], instructions="Be kind.")


@app.before_serving
async def start() -> None:
    Path("started").touch()


@app.while_serving
async def serving():
    yield
    Path("over").touch()


@app.after_serving
async def end() -> None:
    Path("ended").touch()
"""


def test_an_application_is_served_with_its_life_cycle(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    assert tools_of(tmp_path, "app.py:app") == ["of_app"]
    assert all((tmp_path / name).exists() for name in ("started", "over", "ended"))


def test_several_files_modules_and_the_built_in_tools(tmp_path: Path) -> None:
    tool = "from mcp_app import tool\n@tool\ndef {0}() -> str:\n    return '{0}'\n"
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(tool.format(name))
    assert tools_of(tmp_path, "one.py", "two:two") == ["one", "two"]
    assert tools_of(tmp_path, "one.py", "--with-builtin")[0] == "one"
    assert "scan_domain" in tools_of(tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1 / 0\n", "mcp-app: bad.py:1: ZeroDivisionError: division by zero"),
        ("print('hello')\n", "no tools"),
        (APP.replace('Path("started").touch()', "raise RuntimeError('no pool')"), "no pool"),
    ],
)
def test_what_cannot_start_is_said_on_standard_error(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(source)
    name = "bad.py:app" if "create_app" in source else "bad.py"
    ended = subprocess.run(
        command(name), cwd=tmp_path, input=b"", capture_output=True, env=environment(), timeout=BOUND
    )
    assert ended.returncode == 1
    assert ended.stdout == b""
    assert said in ended.stderr.decode()


def test_an_end_that_fails_is_said_and_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace('Path("ended").touch()', "raise RuntimeError('still open')"))
    ended = subprocess.run(
        command("app.py:app"), cwd=tmp_path, input=b"", capture_output=True, env=environment(), timeout=BOUND
    )
    assert ended.returncode == 1
    assert b"mcp-app: the application did not stop: still open" in ended.stderr
    assert b"still open" in ended.stderr


def test_the_log_is_as_it_is_asked_for(tmp_path: Path) -> None:
    with stdio_process(tmp_path, "--log-level", "debug", "--log-format", "json", SERVED) as here:
        here.ask(modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}))
        here.close()
        assert here.ended() == 0
    [line] = [line for line in here.log.read_text().splitlines() if '"outcome"' in line]
    assert '"peer": "stdio"' in line
    assert '"http"' not in line
