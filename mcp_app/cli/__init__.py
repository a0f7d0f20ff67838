"""`mcp-app`: the command line. One module per subcommand; each imports its dependencies when it runs.

Every user error ends as one line on stderr and an exit status: 2 for an invalid command line, 1 for a failure. A
traceback here is a defect.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from mcp_app.cli import certs, serve
from mcp_app.loading.toolfile import ToolFileError
from mcp_app.server.errors import StartError

FAILED = 1
"""Exit status: the command line was valid, and the command failed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; argparse itself exits with 2 for an invalid one."""
    _open_standard_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser(words).parse_args(words)
    arguments.argv = words
    try:
        return int(arguments.run(arguments))
    except (StartError, ToolFileError) as error:
        sys.stderr.write(f"mcp-app: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return 130  # as shells report a process ended by Ctrl-C: 128 + SIGINT


def _open_standard_streams() -> None:
    """Open /dev/null in the place of each that was closed at the start. The number of a closed one is the next free
    one: a socket would have it, and get what is printed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = open(os.devnull, mode, errors="backslashreplace")  # noqa: SIM115 - as long as the process
            os.set_inheritable(null.fileno(), True)
            setattr(sys, name, null)


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser with all commands, or only with the one in `words`: `serve` does not import the modules of `call`."""
    parser = argparse.ArgumentParser(
        prog="mcp-app",
        description="Run tools that take time and stream what happens, live, to curl, browsers and agents.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adding = {
        "serve": serve.add_parser,
        "call": _add_call,
        "follow": _add_follow,
        "list": _add_list,
        "keys": _add_keys,
        "certs": certs.add_parser,
        "completion": _add_completion,
    }
    for add in [adding[words[0]]] if words and words[0] in adding else adding.values():
        add(commands)
    return parser


class _Version(argparse.Action):
    """Like argparse's own version action, but reads the installed metadata only when the option is used."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"mcp-app {_version()}")
        parser.exit()


def _add_call(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.client import add_parser

    add_parser(commands)


def _add_follow(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.client import add_follow_parser

    add_follow_parser(commands)


def _add_list(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.cli.listing import add_parser

    add_parser(commands)


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.cli.keys import add_parser

    add_parser(commands)


def _add_completion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.cli.completion import add_parser

    add_parser(commands, _parser)


def _version() -> str:
    try:
        return version("mcp-app")
    except PackageNotFoundError:
        return "(not installed: run from a checkout)"
