"""The command-line options that `call`, `follow` and `list` share, and what their values may be. No request is made."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any


def add_connection(parser: argparse.ArgumentParser) -> None:
    """How to connect."""
    parser.add_argument(
        "--cacert", type=Path, metavar="FILE", help="believe only certificates signed by this authority (PEM)"
    )
    parser.add_argument(
        "--cert",
        type=Path,
        metavar="FILE",
        help="show this certificate, whose key is in it or in --key (PEM)",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the private key of --cert, without a passphrase")
    parser.add_argument(
        "--header", action="append", type=_header, default=[], metavar="'Name: value'", help="send this header field"
    )
    parser.add_argument("--http1", action="store_true", help="speak HTTP/1.1 even where the server offers HTTP/2")


def add_display(parser: argparse.ArgumentParser) -> None:
    """What to do with what comes of a run."""
    parser.add_argument(
        "--full", action="store_true", help="in a terminal: all of each step and of the result, as JSON"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="write pictures, sound and files of the result there")


def intermix(parser: argparse.ArgumentParser) -> None:
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


def seconds(text: str) -> float:
    found = float(text)
    if not 0 < found < math.inf:
        raise ValueError("not a positive number of seconds")
    return found


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
