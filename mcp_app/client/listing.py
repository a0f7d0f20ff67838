"""The tools of a running server, read and printed. Options and the tools of a file are the command's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcp_app.client.address import parse_address
from mcp_app.client.outcome import Status
from mcp_app.client.printable import many_lines, one_line
from mcp_app.client.session import exchanged, reported
from mcp_app.client.tool_text import tool_lines

if TYPE_CHECKING:
    from mcp_app.client.exchange import CallExchange


def list_server(arguments: argparse.Namespace) -> int:
    """Print the tools at `arguments.where` and return the exit status, of which those of `call` apply."""
    return reported("list", lambda: _run(arguments))


def print_tools(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the tools of an answer of the tools route, as text or all of it as JSON."""
    if as_json:
        print(many_lines(answer) if sys.stdout.isatty() else one_line(answer), flush=True)
    else:
        tools: Sequence[object] = answer["tools"]
        print("\n".join(tool_lines(tools)) if tools else "(no tools)", flush=True)


def _run(arguments: argparse.Namespace) -> int:
    address = parse_address(arguments.where)

    async def work(exchange: CallExchange) -> int:
        route, _ = await exchange.find_route(address)
        print_tools(await exchange.read_tools(route), as_json=arguments.json)
        return Status.DONE

    return exchanged(arguments, address, None, work, "left")
