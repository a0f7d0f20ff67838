"""`mcp-app certs`: creates or renews development certificates and explains how to trust them. `server` creates them."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `certs`. The parsed arguments have an attribute `run`: call it with them for the exit status."""
    parser = commands.add_parser(
        "certs",
        help="make development certificates for localhost, and say how to trust them",
        description="Make or renew a development authority and a certificate for localhost, 127.0.0.1 and ::1: in "
        "certs/ of a directory with pyproject.toml, hypercorn.toml or mcp.json, else in the user's state directory.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Create certificates that are missing or about to expire. Raises StartError."""
    from mcp_app.server.certificates import default_directory, ensure, how_to_trust
    from mcp_app.server.errors import StartError

    if sys.platform == "win32":
        raise StartError("Windows has no fcntl, and no server of ours to have a certificate: make it in WSL")
    files, made = ensure(default_directory())
    if not made and not files.authority.exists():
        print(f"{files.certificate} is of another authority: used as it is, never replaced.")
        return 0
    print(f"{'Made' if made else 'Still good:'} {files.certificate} and {files.key}")
    print(how_to_trust(files))
    return 0
