"""`mcp-app serve --workers N`: the supervisor's side, which imports no tool, and the worker's. What both do is in
mcp_app/server/supervisor.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mcp_app.cli.serve_options import AS_WORKER, configured
from mcp_app.server.errors import StartError

if TYPE_CHECKING:
    from hypercorn.config import Config

    from mcp_app.config.settings import Settings
    from mcp_app.server.supervised import Supervised


def supervise(arguments: argparse.Namespace) -> int:
    """Serve by `--workers` processes until a signal, and return the exit status. Raises StartError."""
    from mcp_app.server import tls
    from mcp_app.server.supervisor.supervising import supervise

    config, source = configured(arguments)
    provided = tls.provide(config, source)  # once, before its workers would all make the same
    if isinstance(provided, tls.TlsOff):
        sys.stderr.write(f"mcp-app: https is off: {provided.reason}\n")
    words = [sys.executable, "-m", "mcp_app", *_without_workers(arguments.argv)]

    def command(word: str) -> Sequence[str]:
        return [*words, f"{AS_WORKER}={word}"]

    return supervise(config, arguments.workers, command, arguments.admin_bind)


def supervised_by(arguments: argparse.Namespace, config: Config) -> Supervised | None:
    """What this process has from its supervisor, if it is a worker. Raises StartError."""
    if arguments.as_worker is None:
        return None
    from mcp_app.server.supervised import Supervised
    from mcp_app.server.supervisor.inheritance import Inheritance

    try:
        return Supervised(Inheritance.read(arguments.as_worker), config)
    except (ValueError, OSError) as error:
        raise StartError(f"{AS_WORKER} is for the supervisor of --workers: {error}") from error


def admin_sockets(
    arguments: argparse.Namespace, config: Config, supervised: Supervised | None
) -> Sequence[socket.socket]:
    """Those of `--admin-bind`, which the supervisor has bound where there is one. Raises StartError."""
    if supervised is not None:
        return supervised.admin_sockets
    if arguments.admin_bind is None:
        return ()
    from mcp_app.server.binding import bind_beside

    return bind_beside(config, arguments.admin_bind)


def refuse_unshared(count: int, settings: Settings) -> None:
    """Raise `StartError` if several processes would each have a log, or a secret, of their own."""
    if count > 1 and not settings.event_log.shared:
        raise StartError(
            f"--workers {count} needs a log that the processes share: with one of its own each, a run, a task or a "
            "session is found by the process that began it alone, and its client may come back to another. Set "
            "MCP_APP_EVENT_LOG=sqlite:///runs.db, or redis://…; or leave --workers out"
        )
    if count > 1 and settings.secret is None:
        raise StartError(
            f"--workers {count} needs a secret that the processes share: what one seals by its own, as the state of a "
            "call that asks, or a sign-in, no other opens. Set MCP_APP_SECRET to 16 random characters or more: "
            "openssl rand -hex 16"
        )


def _without_workers(words: Sequence[str]) -> Iterator[str]:
    left = iter(words)
    for word in left:
        if word == "--workers":
            next(left, None)
        elif not word.startswith("--workers="):
            yield word
