"""The command-line options of `follow`, and the order of its steps: the events of a detached run, from its start."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mcp_app.client.address import parse_address
from mcp_app.client.display import display_for
from mcp_app.client.message import is_run_id
from mcp_app.client.options import add_connection, add_display
from mcp_app.client.outcome import CallFailed, Status
from mcp_app.client.saving import Saved
from mcp_app.client.session import exchanged, reported

if TYPE_CHECKING:
    from mcp_app.client.exchange import CallExchange


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `follow`. The parsed arguments have an attribute `run`: call it with them for the exit status."""
    parser = subparsers.add_parser(
        "follow",
        help="watch a run that was started with call --detach",
        description="Watch a detached run from its start, also one that has ended. Ctrl-C leaves; the run goes on.",
        epilog="exit status: as of mcp-app call.",
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", help="as of mcp-app call: the server's root, or its event route")
    parser.add_argument("run_id", metavar="RUN", help="the run's id, which mcp-app call --detach has printed")
    add_display(parser)
    add_connection(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Follow the run and return the exit status. An error is one line on stderr, with one line of advice."""
    return reported("follow", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    address = parse_address(arguments.url)
    if not is_run_id(arguments.run_id):
        raise CallFailed(Status.REFUSED, f"{arguments.run_id!r} is not a run's id", "mcp-app call --detach prints it.")
    display = display_for("run", sys.stdout, Saved(arguments.save, "run"), full=arguments.full)

    async def work(exchange: CallExchange) -> int:
        route, _ = await exchange.find_route(address)
        return await exchange.follow_run(route, arguments.run_id)

    return exchanged(arguments, address, display, work, "left; the run goes on")
