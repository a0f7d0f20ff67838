"""`mcp-app`: the command line. One module per subcommand; what they need is imported when they run.

Whatever a person can cause ends as one line on stderr and an exit status: 2 for a command line that cannot be
understood, 1 for what could not be done. A traceback here is a defect.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from mcp_app.cli import certs, serve
from mcp_app.server.errors import StartError

FAILED = 1
"""Exit status: it was understood and could not be done."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; argparse exits by itself with 2 for a wrong one."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser(words).parse_args(words)
    arguments.words_given = words
    try:
        return int(arguments.run(arguments))
    except StartError as error:
        sys.stderr.write(f"mcp-app: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return 130  # what a shell expects of a process that Ctrl-C ended: 128 + SIGINT


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """With all commands, or only with the one that is named: `serve` does not load what `call` is made of."""
    parser = argparse.ArgumentParser(
        prog="mcp-app",
        description="Run tools that take time and stream what happens, live, to curl, browsers and agents.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adding = {"serve": serve.add_parser, "certs": certs.add_parser, "call": _add_call}
    for add in [adding[words[0]]] if words and words[0] in adding else adding.values():
        add(commands)
    return parser


class _Version(argparse.Action):
    """As argparse's own, but looked up only when it is asked for: that reads files of the installation."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"mcp-app {_version()}")
        parser.exit()


def _add_call(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mcp_app.client import add_parser

    add_parser(commands)


def _version() -> str:
    try:
        return version("mcp-app")
    except PackageNotFoundError:
        return "(not installed: run from a checkout)"
