"""`mcp-app list`: the options, and the tools of files. Those of a server are the client's to read."""

from __future__ import annotations

import argparse
import sys

from mcp_app.client.options import add_connection


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `list`. The parsed arguments have an attribute `run`: call it with them for the exit status."""
    parser = commands.add_parser(
        "list",
        help="list the tools of a server, or of a file without serving it",
        description="List tools and what they take: of a running server, or of files, which also checks them.",
        epilog="exit status: of a server as of mcp-app call; of files 0, or 1 if they cannot be served.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "where",
        metavar="URL|FILE.py",
        nargs="+",
        help="the server's root, such as https://localhost:8443/; or files or modules, as mcp-app serve takes them",
    )
    parser.add_argument("--json", action="store_true", help="print what the server's tools route answers")
    add_connection(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the tools and return the exit status. Raises StartError or ToolFileError for what cannot be served."""
    from mcp_app.client.listing import list_server, print_tools

    if len(arguments.where) == 1 and "://" in arguments.where[0]:
        arguments.where = arguments.where[0]
        return list_server(arguments)
    from mcp_app.authoring.findable import check_findable
    from mcp_app.cli.serve import application
    from mcp_app.documents import tool_list
    from mcp_app.protocol.errors import ToolDefinitionError
    from mcp_app.server.errors import StartError

    named = argparse.Namespace(tools=arguments.where, with_builtin=False, allow_anonymous=False)
    _, served = application(named)
    try:
        check_findable(served.registry)
    except ToolDefinitionError as error:
        raise StartError(str(error)) from error
    for line in served.cut_by_clients():
        sys.stderr.write(f"mcp-app: {line}\n")
    print_tools(tool_list(served.registry), as_json=arguments.json)
    return 0
