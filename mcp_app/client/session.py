"""One exchange as a command: its signals, its display, its errors as lines on stderr, its exit status.

Which requests are made is the command's. httpx is imported only when an exchange begins.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mcp_app.client.address import Address
from mcp_app.client.display import Display, missing_extra
from mcp_app.client.interrupt import Interrupt, interrupt_handled
from mcp_app.client.outcome import CallFailed, Status
from mcp_app.client.printable import harmless

if TYPE_CHECKING:
    from mcp_app.client.exchange import CallExchange


def reported(command: str, run: Callable[[], int]) -> int:
    """What `run` returns; for CallFailed its status, with its message on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the encoding of a terminal other than UTF-8 lacks must not end the call.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return run()
    except CallFailed as failure:
        print(f"mcp-app {command}: {harmless(failure.message)}", file=sys.stderr)
        if failure.advice:
            print(f"  {harmless(failure.advice)}", file=sys.stderr)
        return failure.status
    except BrokenPipeError:
        # The reader of the pipe has exited (`| head`). Discard the buffered output, which Python would flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.PIPE_CLOSED


def exchanged(
    arguments: argparse.Namespace,
    address: Address,
    display: Display | None,
    work: Callable[[CallExchange], Awaitable[int]],
    left: str,
) -> int:
    """Do `work` over one client, until Ctrl-C at the latest; `left` says what leaving without a confirmation means.

    Raises CallFailed.
    """
    try:
        from mcp_app.client import client, exchange
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    from mcp_app.client.trust import show_certificate, trust_for

    tls = trust_for(address, arguments.cacert)
    if arguments.cert is not None or arguments.key is not None:
        show_certificate(tls, arguments.cert, arguments.key)
    options = client.ConnectionOptions(arguments.header, tls, not arguments.http1)

    async def call(interrupt: Interrupt) -> int:
        made = exchange.CallExchange(client.open_client(address, options), display)
        loop = asyncio.get_running_loop()
        interrupt.on_first = lambda: _schedule(loop, made)
        if interrupt.signal_number is not None:
            made.cancel()
        try:
            async with made.deadline:
                return await work(made)
        except TimeoutError:
            if made.deadline.leaving:
                raise _cancelled(interrupt, made, left) from None
            raise made.timed_out() from None
        except CallFailed as failure:
            if made.confirmed:
                raise _cancelled(interrupt, made, left) from failure
            raise
        finally:
            interrupt.on_first = None
            await made.close()

    with interrupt_handled(display.restore if display else b"") as interrupt:
        try:
            if display is not None:
                display.start()
            return asyncio.run(call(interrupt))
        finally:
            if display is not None:
                display.stop()


def _schedule(loop: asyncio.AbstractEventLoop, work: CallExchange) -> None:
    loop.call_soon_threadsafe(work.cancel)


def _cancelled(interrupt: Interrupt, work: CallExchange, left: str) -> CallFailed:
    return CallFailed(interrupt.status, f"cancelled: {'the server has ended the run' if work.confirmed else left}")
