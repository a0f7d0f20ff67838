"""`mcp-app serve`: its command-line options and the order of its steps. The steps themselves are not here."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_app.cli.serve_options import add_options, configured, of_addresses, set_log
from mcp_app.loading.toolfile import ToolFileError
from mcp_app.server.errors import StartError

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

    from mcp_app.life import Server

_EPILOG = """\
Without FILE.py the built-in tools are served. Addresses, certificate and limits are those of hypercorn.toml (of the
working directory, else as shipped); settings are environment variables that start with MCP_APP_. Port 0 lets the
system choose: the real ports are printed.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `serve`. The parsed arguments have an attribute `run`: call it with them for the exit status."""
    parser = commands.add_parser(
        "serve",
        help="serve tools, over HTTP/2 and HTTP/1.1, with and without TLS",
        description="Serve the tools of a file or module, or the built-in ones.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C and return the exit status. Raises StartError if the server cannot start, and
    ToolFileError if it has no tools."""
    if sys.platform == "win32":
        raise StartError(
            "Windows has no fcntl and no signals for an event loop, which the server needs: serve from WSL"
        )
    if arguments.stdio:
        return _errors_shown(arguments, _serve_stdio)
    if arguments.reload:
        from mcp_app.server.reload import supervise

        words = [word for word in arguments.argv if word != "--reload"]
        return supervise([sys.executable, "-m", "mcp_app", *words], _watched(arguments))
    if arguments.workers is not None:
        from mcp_app.cli import serve_workers

        return serve_workers.supervise(arguments)
    return _errors_shown(arguments, _serve)


def _errors_shown(arguments: argparse.Namespace, serve: Callable[[argparse.Namespace], int]) -> int:
    try:
        return serve(arguments)
    except (StartError, ToolFileError) as error:
        if arguments.traceback and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        raise
    finally:
        gc.unfreeze()


def _serve(arguments: argparse.Namespace) -> int:
    with _gc_paused():
        # Imported here: `mcp-app call` and `mcp-app certs` work without Hypercorn and Quart.
        import mcp_app.app  # noqa: F401 - used below; it is most of the import time
        from mcp_app.cli.banner import banner
        from mcp_app.cli.serve_workers import admin_sockets, refuse_unshared, supervised_by
        from mcp_app.cli.shipped import not_offered
        from mcp_app.config.invalid import invalid_for_tools
        from mcp_app.server import configuration, tls
        from mcp_app.server.addresses import admin_urls, exposed_binds
        from mcp_app.server.engine.worker import ApplicationBeside
        from mcp_app.server.run import serve

    config, source = configured(arguments)
    supervised = supervised_by(arguments, config)
    app, served = application(arguments)
    if supervised is not None:
        refuse_unshared(supervised.count, served.settings)
        supervised.hand_over_seconds = served.settings.cap_seconds + _LAST_EVENT_SECONDS
    if (wrong := invalid_for_tools()) is not None:
        raise StartError(wrong)
    if not served.settings.allow_anonymous and not served.verifies:
        configuration.refuse_exposed_binds(config)
    if served.settings.client_certificates:
        configuration.require_client_authority(config, source)
    provided = tls.provide(config, source)
    admin = admin_sockets(arguments, config, supervised)
    beside = ApplicationBeside(served.administration(), admin) if admin else None
    missing = not_offered() if _with_shipped(arguments) else []

    def on_ready(urls: list[str]) -> None:
        manifest = served.manifest
        text = banner(
            [f"{url}{config.root_path}" for url in urls],
            manifest.events_path,
            list(served.registry),
            provided,
            name=manifest.card.name.rpartition("/")[2],
            resources=len(served.resources),
            prompts=len(served.prompts),
            reachable=exposed_binds([*config.bind, *config.insecure_bind]),
            missing=missing,
            asks=served.refuses_anonymous,
            verifies=served.verifies,
            admin=admin_urls(admin),
        )
        _print(f"{text}\n")

    # All objects that exist now live until the end. To traverse them takes 30 ms, during which every stream would wait.
    gc.freeze()
    return serve(app, config, on_ready, supervised, beside)


_LAST_EVENT_SECONDS = 5.0
"""For what has reached the cap to be written, when a worker is replaced: nothing else is cut by that."""


def _serve_stdio(arguments: argparse.Namespace) -> int:
    """The same over standard input and output. Nothing of ours is printed there."""
    from mcp_app.stdio.descriptors import put_aside

    if wrong := [option for option, value in of_addresses(arguments).items() if value]:
        raise StartError(f"{wrong[0]} is about addresses, and --stdio has none: leave one of them out")
    if arguments.reload:
        raise StartError("--reload would end the client's session: with --stdio the client starts the server again")
    descriptors = put_aside()
    with _gc_paused():
        import mcp_app.app  # noqa: F401 - as in _serve
        from mcp_app.cli.shipped import not_offered
        from mcp_app.config.invalid import invalid_for_tools
        from mcp_app.server import configuration
        from mcp_app.stdio.serving import serve

    config, _ = configuration.load(arguments.config, tls=False)
    set_log(config, arguments)
    app, served = application(arguments)
    if (wrong_setting := invalid_for_tools()) is not None:
        raise StartError(wrong_setting)
    for line in not_offered() if _with_shipped(arguments) else []:
        _note(line)
    if os.isatty(descriptors.incoming):
        _note("an MCP client starts this command and writes JSON-RPC messages to it, one a line; Ctrl-D ends it")
    gc.freeze()
    return serve(app, lambda: served.started.speaker, config, descriptors)


def _with_shipped(arguments: argparse.Namespace) -> bool:
    """Whether what comes with the package is served."""
    return not arguments.tools or arguments.with_builtin


def _print(text: str) -> None:
    """Write to standard output, in one write. Whoever read it may have left, or the disk be full: the server stays, and
    what it prints from then on is thrown away."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Also what is still in the buffer, which Python would fail to write at its exit, with status 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _note(f"standard output cannot be written: {error.strerror}; serving without it")


def _note(text: str) -> None:
    """Write a line to standard error, if that can be written."""
    from mcp_app.server.logs.output import standard_error

    standard_error().write(f"mcp-app: {text}")


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause the garbage collector while modules are imported, which stay alive: collecting takes 5% of the whole start.
    They are frozen afterwards, or the first collection would traverse all of them at once."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def application(arguments: argparse.Namespace) -> tuple[ASGIFramework, Server]:
    """The application, and its parts. Raises StartError or ToolFileError for an error of the author or the
    operator."""
    from pydantic import ValidationError

    from mcp_app import Settings
    from mcp_app.app import create_app
    from mcp_app.cli import shipped
    from mcp_app.config.invalid import problem
    from mcp_app.loading import definitions
    from mcp_app.manifest import ManifestError, load_manifest
    from mcp_app.protocol.errors import ToolDefinitionError

    try:
        own = definitions.application(arguments.tools[0]) if len(arguments.tools) == 1 else None
        if own is not None:
            if arguments.with_builtin or arguments.allow_anonymous:
                raise StartError(
                    f"{arguments.tools[0]}: its application has its own tools and settings: say it there, "
                    "create_app(Settings(allow_anonymous=True), tools=[…])"
                )
            return own, own.extensions["mcp_app"]
        tools, resources, prompts, arounds, notes = (
            definitions.load(*arguments.tools) if arguments.tools else definitions.empty()
        )
        if _with_shipped(arguments):
            shipped.add(tools, resources, prompts)
        for note in notes:
            _note(note)
        settings = Settings(allow_anonymous=True) if arguments.allow_anonymous else Settings()
        manifest = load_manifest()
        app = create_app(
            settings,
            tools,
            resources=resources,
            prompts=prompts,
            manifest=manifest,
            instructions=manifest.card.instructions or definitions.instructions(*arguments.tools),
            around=arounds,
        )
    except (ManifestError, ToolDefinitionError) as error:
        raise StartError(" ".join(str(error).split())) from error
    except ValidationError as error:
        raise StartError(problem(error)) from error
    return app, app.extensions["mcp_app"]


def _watched(arguments: argparse.Namespace) -> list[Path]:
    """The paths that --reload watches: the tools, this package, and the configuration files."""
    from mcp_app.loading.toolfile import source_of, split
    from mcp_app.server.configuration import FILE_NAME

    own = [source_of(split(name)[0]) for name in arguments.tools]
    package = Path(__file__).parent.parent
    return [*own, package, arguments.config or Path(FILE_NAME), Path("mcp.json")]
