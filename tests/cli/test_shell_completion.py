"""`mcp-app completion`: each shell itself completes by the script that it is given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_app.cli import _parser, main
from mcp_app.cli.completion import script

SECONDS = 30.0

BASH = """\
{script}
COMP_WORDS=({words}); COMP_CWORD=$(({count} - 1)); _mcp_app
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def bash(words: list[str]) -> list[str]:
    quoted = " ".join(f"'{word}'" for word in words)
    text = BASH.format(script=script("bash", _parser()), words=quoted, count=len(words))
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def fish(words: list[str], program: str) -> list[str]:
    line = " ".join(words)
    text = f"{script('fish', _parser())}\ncomplete -C '{line}'"
    done = subprocess.run(
        [program, "--no-config", "-c", text], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    return [each.split("\t")[0] for each in done.stdout.splitlines()]


def test_bash_completes_commands_and_options() -> None:
    assert set(bash(["mcp-app", ""])) == {"serve", "call", "follow", "list", "keys", "certs", "completion"}
    assert bash(["mcp-app", "se"]) == ["serve"]
    assert set(bash(["mcp-app", "serve", "a.py", "--no"])) == {"--no-tls"}
    assert "--insecure-bind" in bash(["mcp-app", "serve", "--"])
    assert set(bash(["mcp-app", "list", "--c"])) == {"--cacert", "--cert"}
    assert bash(["mcp-app", "serve", ""]) == [], "files, by the default"
    assert bash(["mcp-app", "nonsense", "--"]) == []
    assert set(bash(["mcp-app", "keys", ""])) == {"add", "list", "revoke", "explain"}
    assert bash(["mcp-app", "keys", "add", ""]) == []
    assert set(bash(["mcp-app", "keys", "add", "--"])) == {"--help", "--file", "--json", "--scopes", "--expires"}


@pytest.mark.needs("fish")
def test_fish_does(program: Callable[[str], str]) -> None:
    found = program("fish")
    assert set(fish(["mcp-app", ""], found)) == {"serve", "call", "follow", "list", "keys", "certs", "completion"}
    assert fish(["mcp-app", "serve", "--no"], found) == ["--no-tls"]
    assert set(fish(["mcp-app", "keys", ""], found)) == {"add", "list", "revoke", "explain"}
    assert fish(["mcp-app", "keys", "add", "--sc"], found) == ["--scopes"]


@pytest.mark.needs("zsh")
def test_zsh_takes_the_script(program: Callable[[str], str], tmp_path: Path) -> None:
    """What it completes is what bash does: it runs the same function."""
    text = f"{script('zsh', _parser())}\nprint -r -- $_comps[mcp-app]"
    done = subprocess.run(
        [program("zsh"), "-f", "-c", text],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    assert "_mcp_app" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == f"{script(shell, _parser())}\n"


def test_another_shell_is_a_wrong_command_line() -> None:
    command = [sys.executable, "-m", "mcp_app", "completion", "csh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert "invalid choice: 'csh'" in done.stderr
