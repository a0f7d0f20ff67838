"""The command-line options of `call`, and the order of its steps. The call itself is not here.

httpx and rich (the extra `cli`) are imported only when the command runs, so `mcp-app serve` works without them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_app.client.address import Address, parse_address
from mcp_app.client.arguments import params_of, parse_object, parse_word
from mcp_app.client.display import display_for
from mcp_app.client.message import error_of, message_of
from mcp_app.client.options import add_connection, add_display, intermix, seconds
from mcp_app.client.outcome import CallFailed, Status, status_of_answer
from mcp_app.client.printable import many_lines, one_line
from mcp_app.client.saving import Saved
from mcp_app.client.session import exchanged, reported

if TYPE_CHECKING:
    from mcp_app.client.exchange import CallExchange

_EPILOG = """\
exit status: 0 done, 1 the tool failed, 2 wrong command line or refused by the server, 3 server unreachable, not
trusted or not of this kind, 4 time cap, 5 the run began and its end was not seen, 130 cancelled by Ctrl-C.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `call`. The parsed arguments have an attribute `run`: call it with them for the exit status."""
    parser = subparsers.add_parser(
        "call",
        help="call a tool and watch it work",
        description="Call a tool of a running server and watch it work.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "url", metavar="URL", help="the server's root, such as https://localhost:8443/, or its event route"
    )
    parser.add_argument("tool", metavar="TOOL", help="the tool's name")
    parser.add_argument(
        "words",
        metavar="key=value",
        nargs="*",
        default=[],  # without one, argparse would say that it is required
        help="a parameter: text, or JSON where the tool's schema asks for something else; repeated for a list; "
        "key:=JSON is always JSON",
    )
    parser.add_argument(
        "--params", metavar="JSON|@FILE|-", help="all parameters as one JSON object, from a file, or from stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the server's one JSON answer, nothing before it")
    parser.add_argument(
        "--detach", action="store_true", help="start a run that goes on without you, and print its id: mcp-app follow"
    )
    parser.add_argument("--cap-seconds", type=seconds, metavar="S", help="end the run after S seconds at the latest")
    parser.add_argument(
        "--heartbeat-seconds", type=seconds, metavar="S", help="ask for a heartbeat after S quiet seconds"
    )
    add_display(parser)
    add_connection(parser)
    parser.set_defaults(run=run)
    intermix(parser)


def run(arguments: argparse.Namespace) -> int:
    """Call the tool and return the exit status. An error is one line on stderr, with one line of advice."""
    return reported("call", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    address = parse_address(arguments.url)
    words = [parse_word(word) for word in arguments.words]
    base = _params_option(arguments.params)
    saved = Saved(arguments.save, arguments.tool)
    silent = arguments.json or arguments.detach
    display = None if silent else display_for(arguments.tool, sys.stdout, saved, full=arguments.full)

    async def work(exchange: CallExchange) -> int:
        return await _call(exchange, address, arguments, words, base, saved)

    return exchanged(arguments, address, display, work, "the connection was closed, which ends the run")


async def _call(
    work: CallExchange,
    address: Address,
    arguments: argparse.Namespace,
    words: list[Any],
    base: dict[str, Any],
    saved: Saved,
) -> int:
    from mcp_app.client.wire.plain import ToolCall

    route, cap = await work.find_route(address)
    schema = await work.read_schema(route, arguments.tool) if words else None
    params = params_of(words, schema, base)
    call = ToolCall(arguments.tool, params, arguments.cap_seconds, arguments.heartbeat_seconds)
    if arguments.detach:
        return _detached(await work.detach(route, call), arguments)
    if not arguments.json:
        return await work.follow(route, call)
    if cap is None and call.cap_seconds is None:
        cap = await work.read_cap(route)
    answer, http_status = await work.ask(route, call, cap)
    progress = answer.get("progress")
    for content in [*(progress if isinstance(progress, list) else []), answer]:
        if (message := message_of(content)) is not None:
            saved.save(message)
    print(many_lines(answer) if sys.stdout.isatty() else one_line(answer), flush=True)
    if http_status == 200 and answer["type"] == "complete":
        return Status.DONE
    error = error_of(answer)
    return status_of_answer(http_status, error.code if error else None)


def _detached(answer: Mapping[str, Any], arguments: argparse.Namespace) -> int:
    """The run's id alone on stdout, for a script; how to go on, on stderr."""
    if arguments.json:
        print(many_lines(answer) if sys.stdout.isatty() else one_line(answer), flush=True)
        return Status.DONE
    print(answer["id"], flush=True)
    print(f"started; watch it: mcp-app follow {arguments.url} {answer['id']}", file=sys.stderr)
    return Status.DONE


def _params_option(text: str | None) -> dict[str, Any]:
    """The object of --params. Raises CallFailed if it cannot be read or is not a JSON object."""
    if text is None:
        return {}
    where = "--params"
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            where = f"--params {text}"
            text = Path(text[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise CallFailed(Status.REFUSED, f"{where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CallFailed(Status.REFUSED, f"{where} is not UTF-8") from error
    return parse_object(text, where)
