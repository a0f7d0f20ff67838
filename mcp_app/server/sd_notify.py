"""Tells the service manager that started this process how it is: ready, stopping, alive (sd_notify(3)).

A datagram to the socket that NOTIFY_SOCKET names, as systemd and podman set it; without one nothing is sent. What being
ready or stopping means is the caller's to know.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

READY = "READY=1"
"""Every address accepts connections: what is ordered after this unit may start."""

STOPPING = "STOPPING=1"
"""The stop has begun, by whatever order."""

ALIVE = "WATCHDOG=1"

SEND_SECONDS = 0.5
"""For a service manager that does not read: the loop is held no longer. A lost ALIVE is followed by another."""

log = logging.getLogger("mcp_app.server")


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send `state`, one of the above, if there is somebody to tell. What fails is a line in the log."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_SECONDS)
            # @ stands for the zero byte before a name that is in no file system.
            sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            sender.send(state.encode())
    except OSError as error:
        log.warning(
            "the service manager was not told %s: NOTIFY_SOCKET=%s: %s", state, address, error.strerror or error
        )


def watchdog_seconds(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """How often the service manager wants to hear that this process is alive, in seconds: twice in the time after which
    it would end it. None if it does not, or wants to hear it of another process (WATCHDOG_PID)."""
    microseconds, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if whose is not None and whose != str(os.getpid() if pid is None else pid):
        return None
    return int(microseconds) / 2e6


def keep_alive(loop: asyncio.AbstractEventLoop, environ: Mapping[str, str] = os.environ) -> None:
    """Send ALIVE from the loop for as long as it runs: a loop that a tool holds for the whole of WatchdogSec= serves
    nobody, and is to be started again."""
    seconds = watchdog_seconds(environ)
    if seconds is None:
        return

    def tick() -> None:
        notify(ALIVE, environ)
        loop.call_later(seconds, tick)

    tick()
