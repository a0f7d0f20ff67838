"""The options of `mcp-app serve`, and the configuration of Hypercorn that they come to. Nothing is served here."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_app.server.logs.lines import FORMATS, LEVELS

if TYPE_CHECKING:
    from hypercorn.config import Config

    from mcp_app.server.configuration import Source

AS_WORKER = "--as-worker"
"""Given by the supervisor of --workers to the processes that it starts, and no option for people."""

_MAX_PORT = 65_535
"""TCP's ports have 16 bits. 0 lets the system choose."""

_MAX_WORKERS = 256
"""More processes than any machine has processors to run them on: a mistyped number."""

_DIGITS = re.compile(r"[0-9]{1,5}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options and arguments of `serve` to `parser`."""
    add = parser.add_argument
    add(
        "tools",
        nargs="*",
        metavar="FILE.py|module[:NAME]",
        help="serve the tools defined there, in their order; or only NAME there: a registry, or an app of create_app",
    )
    add("--config", type=Path, metavar="FILE", help="another hypercorn.toml")
    add(
        "--bind",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="listen here, with TLS where there is a certificate; may be repeated",
    )
    add("--insecure-bind", action="append", default=[], metavar="HOST:PORT", help="listen here without TLS; likewise")
    add("--port", type=_port, metavar="PORT", help="serve plain HTTP at this port of localhost, and nothing else")
    add("--no-tls", action="store_true", help="serve plain HTTP only, without a certificate")
    add(
        "--workers",
        type=_workers,
        metavar="N",
        help="serve by N processes, which are restarted when they end, and replaced one after the other on SIGUSR2",
    )
    add(
        "--admin-bind",
        metavar="HOST:PORT",
        help="serve /metrics, /healthz and /readyz here, to whoever reaches it; /metrics is nowhere else then",
    )
    add("--log-level", choices=LEVELS, help="log from this level on, in the place of hypercorn.toml's")
    add("--log-format", choices=FORMATS, help="likewise: lines for people, or one JSON object a line")
    add("--reload", action="store_true", help="start again when the tools, the package or a configuration file change")
    add("--with-builtin", action="store_true", help="serve the built-in tools as well")
    add("--traceback", action="store_true", help="show the whole traceback of an exception in the tools' files")
    add("--allow-anonymous", action="store_true", help="let anybody call without credentials, from other machines, too")
    add("--stdio", action="store_true", help="speak MCP over standard input and output, to the client that starts this")
    add(AS_WORKER, help=argparse.SUPPRESS)


def of_addresses(arguments: argparse.Namespace) -> dict[str, object]:
    """The options that are about addresses, each with whether it was given."""
    return {
        "--bind": arguments.bind,
        "--insecure-bind": arguments.insecure_bind,
        "--port": arguments.port is not None,
        "--no-tls": arguments.no_tls,
        "--admin-bind": arguments.admin_bind is not None,
        "--workers": arguments.workers is not None,
        "--allow-anonymous": arguments.allow_anonymous,
    }


def configured(arguments: argparse.Namespace) -> tuple[Config, Source]:
    """The configuration for a server with addresses, and its source. Raises StartError."""
    from mcp_app.server import configuration

    loaded = configuration.load(
        arguments.config,
        bind=arguments.bind,
        insecure_bind=[*arguments.insecure_bind, *([] if arguments.port is None else [f"localhost:{arguments.port}"])],
        tls=not arguments.no_tls and arguments.port is None,
    )
    set_log(loaded[0], arguments)
    return loaded


def set_log(config: Config, arguments: argparse.Namespace) -> None:
    """Have `config` log as the options say."""
    config.loglevel = arguments.log_level or config.loglevel
    config.access_log_format = arguments.log_format or config.access_log_format


def _port(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to {_MAX_PORT}")
    return int(text)


def _workers(text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= _MAX_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes: 1 to {_MAX_WORKERS}")
    return int(text)
