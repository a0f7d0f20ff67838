"""The command-line options of `call`, and the order of its steps. The call itself is not here.

httpx and rich (the extra `cli`) are imported only when the command runs, so `mcp-app serve` works without them.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_app.client.address import Address, parse_address
from mcp_app.client.arguments import params_of, parse_object, parse_word
from mcp_app.client.display import display_for, missing_extra
from mcp_app.client.interrupt import Interrupt, interrupt_handled
from mcp_app.client.message import error_of, message_of
from mcp_app.client.outcome import CallFailed, Status, status_of_answer
from mcp_app.client.printable import harmless, many_lines, one_line
from mcp_app.client.saving import Saved

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
        help="a parameter: text, or JSON where the tool's schema asks for something else; repeated for a list; "
        "key:=JSON is always JSON",
    )
    parser.add_argument(
        "--params", metavar="JSON|@FILE|-", help="all parameters as one JSON object, from a file, or from stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the server's one JSON answer, nothing before it")
    parser.add_argument(
        "--full", action="store_true", help="in a terminal: all of each step and of the result, as JSON"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="write pictures, sound and files of the result there")
    parser.add_argument("--cap-seconds", type=_seconds, metavar="S", help="end the run after S seconds at the latest")
    parser.add_argument(
        "--heartbeat-seconds", type=_seconds, metavar="S", help="ask for a heartbeat after S quiet seconds"
    )
    parser.add_argument(
        "--cacert", type=Path, metavar="FILE", help="believe only certificates signed by this authority (PEM)"
    )
    parser.add_argument(
        "--header", action="append", type=_header, default=[], metavar="'Name: value'", help="send this header field"
    )
    parser.add_argument("--http1", action="store_true", help="speak HTTP/1.1 even where the server offers HTTP/2")
    parser.set_defaults(run=run)
    _intermix(parser)


def _intermix(parser: argparse.ArgumentParser) -> None:
    """Allow key=value before, between and after the options. By default argparse accepts positional arguments in one
    place only, and its own intermixed parsing is available only to top-level parsers."""
    plain = parser.parse_known_args

    def mixed(args: Any = None, namespace: Any = None) -> Any:
        parser.parse_known_args = plain  # type: ignore[method-assign] # the intermixed parsing calls it
        try:
            return parser.parse_known_intermixed_args(args, namespace)
        finally:
            parser.parse_known_args = mixed  # type: ignore[method-assign]

    parser.parse_known_args = mixed  # type: ignore[method-assign]


def run(arguments: argparse.Namespace) -> int:
    """Call the tool and return the exit status. An error is one line on stderr, with one line of advice."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the encoding of a terminal other than UTF-8 lacks must not end the call.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return _run(arguments)
    except CallFailed as failure:
        _complain(failure)
        return failure.status
    except BrokenPipeError:
        # The reader of the pipe has exited (`| head`). Discard the buffered output, which Python would flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.PIPE_CLOSED


def _run(arguments: argparse.Namespace) -> int:
    try:
        from mcp_app.client import client, exchange
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    address = parse_address(arguments.url)
    words = [parse_word(word) for word in arguments.words]
    base = _params_option(arguments.params)
    from mcp_app.client.trust import trust_for

    options = client.ConnectionOptions(arguments.header, trust_for(address, arguments.cacert), not arguments.http1)
    saved = Saved(arguments.save, arguments.tool)
    display = None if arguments.json else display_for(arguments.tool, sys.stdout, saved, full=arguments.full)

    async def call(interrupt: Interrupt) -> int:
        work = exchange.CallExchange(client.open_client(address, options), display)
        loop = asyncio.get_running_loop()
        interrupt.on_first = lambda: _schedule(loop, work)
        if interrupt.signal_number is not None:
            work.cancel()
        try:
            async with work.deadline:
                return await _call(work, address, arguments, words, base, saved)
        except TimeoutError:
            if work.deadline.leaving:
                raise _cancelled(interrupt, work) from None
            raise work.timed_out() from None
        except CallFailed as failure:
            if work.confirmed:
                raise _cancelled(interrupt, work) from failure
            raise
        finally:
            interrupt.on_first = None
            await work.close()

    with interrupt_handled(display.restore if display else b"") as interrupt:
        try:
            if display is not None:
                display.start()
            return asyncio.run(call(interrupt))
        finally:
            if display is not None:
                display.stop()


async def _call(
    work: CallExchange,
    address: Address,
    arguments: argparse.Namespace,
    words: list[Any],
    base: dict[str, Any],
    saved: Saved,
) -> int:
    from mcp_app.client.client import ToolCall

    route, cap = await work.find_route(address)
    schema = await work.read_schema(route, arguments.tool) if words else None
    params = params_of(words, schema, base)
    call = ToolCall(arguments.tool, params, arguments.cap_seconds, arguments.heartbeat_seconds)
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


def _schedule(loop: asyncio.AbstractEventLoop, work: CallExchange) -> None:
    loop.call_soon_threadsafe(work.cancel)


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


def _cancelled(interrupt: Interrupt, work: CallExchange) -> CallFailed:
    how = "the server has ended the run" if work.confirmed else "the connection was closed, which ends the run"
    return CallFailed(interrupt.status, f"cancelled: {how}")


def _complain(failure: CallFailed) -> None:
    print(f"mcp-app call: {harmless(failure.message)}", file=sys.stderr)
    if failure.advice:
        print(f"  {harmless(failure.advice)}", file=sys.stderr)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ValueError("not a positive number of seconds")
    return seconds


# RFC 9110, 5.1 and 5.5: a token, and printable ASCII. HTTP libraries refuse anything else with a traceback.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)", re.ASCII)

# Header fields that the command sets itself: it would not work with other values.
_OWN_HEADERS = frozenset(
    {"accept", "accept-encoding", "content-type", "content-length", "transfer-encoding", "connection"}
)


def _header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not 'Name: value' in printable ASCII")
    if match[1].lower() in _OWN_HEADERS:
        raise argparse.ArgumentTypeError(f"{match[1]} is set by the command itself")
    return match[1], match[2].strip()
