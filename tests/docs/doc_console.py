"""The commands of a page, run for real against a real server. Not a test.

What a page shows is what a reader would type and see, with four conventions:

    $ command                  a command, its output below it; a line that ends in \\ goes on in the next
    …                          anything: within a line, or, alone on a line, any number of lines
    ^C                         Ctrl-C is pressed once the lines above it have been seen
    8000, 8443                 the ports of the page; the server under test has others

A command that starts a server (`make serve`, `mcp-app serve …`, `hypercorn …`, `uvicorn …`, `python serve.py`)
replaces the page's server before it.
A Python block that begins with the comment `# hello.py` is the file hello.py in the reader's directory. The word after
a block's language says where it is seen: `text server` in the server's terminal, `js page` and `text page` in the
console of a browser that shows the server's page.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from doc_browser import Browser
from doc_page import ROOT, Block
from live_server import LiveServer, process

COMMAND_SECONDS = 40.0
"""The longest command of the pages waits for a cap of some seconds; the rest is for a busy machine."""

SEEN_SECONDS = 20.0
"""For lines to appear that the page says are there."""

_SERVER = re.compile(
    r"""((?:\w+=(?:"[^"]*"|\S+) +)*)(make serve|mcp-app serve|hypercorn|uvicorn|python serve\.py)\b(.*)""", re.DOTALL
)
_CHECKOUT = ("mcp.json", "hypercorn.toml", "pyproject.toml", "examples")
"""What a reader has in the directory that `make serve` runs in."""


@dataclass(frozen=True)
class Step:
    """One command, and the lines that the page shows below it."""

    command: str
    expected: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """The commands of one console block."""
    found: list[Step] = []
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if command and not output and command[-1].endswith("\\"):
            command.append(line.removeprefix("> "))
        elif line.startswith("$ "):
            if command:
                found.append(Step("\n".join(command), tuple(output)))
            command, output = [line[2:]], []
        else:
            assert command, f"output before any command: {line!r}"
            output.append(line)
    if command:
        found.append(Step("\n".join(command), tuple(output)))
    return found


def pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    """What the page shows, as a pattern for what is seen."""
    parts = [
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in trimmed("\n".join(expected)).splitlines()
    ]
    return re.compile("".join(parts))


def trimmed(output: str) -> str:
    """Lines without spaces at their ends, and no empty lines at the end: what a page can show."""
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())


class Session:
    """A reader's directory, the server of the page, and the commands typed so far."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server: LiveServer | None = None
        self._stack = ExitStack()
        self._browser = Browser()
        for name in _CHECKOUT:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, directory / name)
        _any_port(directory / "hypercorn.toml")
        (directory / ".curlrc").write_text("no-progress-meter\n")  # it is drawn only where output is not a terminal

    def close(self) -> None:
        self._browser.close()
        self._stack.close()

    def play(self, block: Block) -> None:
        """Do what the block says, and compare. Raises AssertionError naming the place."""
        match (block.language, *block.words):
            case ["console"]:
                for step in steps(block.text):
                    self._step(step, block.place)
            case ["text", "server"]:
                self._server_says(tuple(block.text.splitlines()), block.place)
            case ["js", "page"]:
                self._browser.paste(self._running(block.place).url, block.text)
            case ["text", "page"]:
                self._browser_says(tuple(block.text.splitlines()), block.place)
            case _ if block.file_name is not None:
                text = re.sub(r"\bport=8000\b", "port=0", block.text)
                (self.directory / block.file_name).write_text(text, encoding="utf-8")

    def _step(self, step: Step, place: str) -> None:
        match = _SERVER.fullmatch(step.command)
        if match is not None:
            self._serve(match[1], match[2], match[3])
            self._server_says(step.expected, place)
            return
        output, status = self._run(step.command, step.expected)
        self._compare(output, status, step.expected, f"{place}: {step.command}")

    def _compare(self, output: str, status: int, expected: tuple[str, ...], place: str) -> None:
        assert status == 0 or expected, f"{place}: exit status {status}, and the page shows nothing\n{output}"
        if not expected and status == 0:
            return
        wanted = tuple(line for line in expected if line != "^C")
        assert pattern(wanted).fullmatch(trimmed(output)), (
            f"{place}\n--- the page shows\n" + "\n".join(wanted) + f"\n--- seen (status {status})\n{trimmed(output)}"
        )

    # --- servers -----------------------------------------------------------------------------------------------------

    def _serve(self, assignments: str, command: str, rest: str) -> None:
        self._stack.close()
        self.server = None
        here = assignments.replace("$PWD", str(self.directory))
        env = {**_surroundings(self.directory), **dict(each.split("=", 1) for each in shlex.split(here))}
        words = shlex.split(rest)
        if command == "hypercorn":
            plain = [each.replace(":8000", ":0") for each in words]
            schemes = 1 if plain != words else 2  # a --bind of the page's, or those of hypercorn.toml
            run = [sys.executable, "-m", "hypercorn", *plain]
            started = process(cwd=self.directory, env=env, command=run, schemes=schemes)
        elif command in ("uvicorn", "python serve.py"):
            run = [sys.executable, *(["serve.py"] if words == [] else ["-m", "uvicorn", "--port", "0", *words])]
            # It ends itself by the signal that it was sent.
            started = process(cwd=self.directory, env=env, command=run, schemes=1, status=-signal.SIGTERM)
        else:
            binds = ("--bind", "localhost:0", "--insecure-bind", "localhost:0")  # as shipped
            started = process(
                cwd=self.directory, env=env, command=[sys.executable, "-m", "mcp_app", "serve", *binds, *words]
            )
        self.server = self._stack.enter_context(started)

    def _server_says(self, expected: tuple[str, ...], place: str) -> None:
        server = self._running(place)
        wanted = re.compile("^" + pattern(expected).pattern, re.MULTILINE)
        until = time.monotonic() + SEEN_SECONDS
        while not wanted.search(seen := self._as_shown(trimmed("\n".join(server.output)))):
            assert time.monotonic() < until, f"{place}: the server's terminal does not show this; it shows\n{seen}"
            time.sleep(0.02)

    def _browser_says(self, expected: tuple[str, ...], place: str) -> None:
        until = time.monotonic() + SEEN_SECONDS
        while not pattern(expected).fullmatch(seen := trimmed("\n".join(self._browser.said))):
            assert time.monotonic() < until, f"{place}: the browser's console does not show this; it shows\n{seen}"
            self._browser.wait(20)
        self._browser.said.clear()

    def _running(self, place: str) -> LiveServer:
        assert self.server is not None, f"{place}: no server was started before"
        return self.server

    def _as_typed(self, text: str) -> str:
        if self.server is None:
            return text
        text = re.sub(r"\b8000\b", str(self.server.port), text)
        return re.sub(r"\b8443\b", str(self.server.tls_port), text) if self.server.tls_port else text

    def _as_shown(self, text: str) -> str:
        if self.server is None:
            return text
        text = re.sub(rf"\b{self.server.port}\b", "8000", text)
        return re.sub(rf"\b{self.server.tls_port}\b", "8443", text) if self.server.tls_port else text

    # --- commands ----------------------------------------------------------------------------------------------------

    def _run(self, command: str, expected: tuple[str, ...]) -> tuple[str, int]:
        child = subprocess.Popen(
            ["bash", "-c", self._as_typed(command)],
            cwd=self.directory,
            env=_surroundings(self.directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        bound = threading.Timer(COMMAND_SECONDS, os.killpg, (child.pid, signal.SIGKILL))
        bound.daemon = True  # it is no leak of a test that runs beside this page
        bound.start()
        try:
            output = "".join(self._read(child, expected))
            return self._as_shown(output), child.wait()
        finally:
            bound.cancel()
            bound.join()
            if child.stdout is not None:
                child.stdout.close()
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def _read(self, child: subprocess.Popen[str], expected: tuple[str, ...]) -> Iterator[str]:
        """The output, line by line; Ctrl-C where the page presses it."""
        assert child.stdout is not None
        before = expected[: expected.index("^C")] if "^C" in expected else None
        seen = ""
        for line in child.stdout:
            yield line
            seen += line
            if before is not None and pattern(before).fullmatch(trimmed(self._as_shown(seen))):
                os.killpg(child.pid, signal.SIGINT)
                before = None
        assert before is None, f"Ctrl-C was never pressed: these lines did not appear\n{before}\nbut\n{seen}"


def _surroundings(directory: Path) -> dict[str, str]:
    """A reader's environment: this Python's programs first on the path, none of our settings, no proxy, an own home."""
    kept = {name: value for name, value in os.environ.items() if not re.search("(?i)proxy|^MCP_APP_|^CURL_", name)}
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "HOME": str(directory),
        "XDG_STATE_HOME": str(directory),
        "NO_PROXY": "*",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def _any_port(config: Path) -> None:
    if config.exists():
        config.write_text(re.sub(r":(8000|8443)\b", ":0", config.read_text()))
