"""`mcp-app keys`: makes, lists, revokes and explains API keys, in the file that servers read.

What a key is, and how the file is kept, is in mcp_app/auth. What is printed here has no secret in it but a new key.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp_app.server.errors import StartError

if TYPE_CHECKING:
    from mcp_app.auth.key_file import KeyFile
    from mcp_app.auth.key_records import KeyRecord

VARIABLE = "MCP_APP_KEYS"

_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhdwy])", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}

_EPILOG = """\
The file is that of --file, else of MCP_APP_KEYS, by which a server is told of it, too. A server that runs sees a change
within 5 seconds. A key is sent as `Authorization: Bearer KEY`.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `keys` with its own commands. The parsed arguments have an attribute `run`."""
    parser = commands.add_parser(
        "keys",
        help="make, list, revoke and explain API keys",
        description="Make, list, revoke and explain the API keys by which callers are known.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    own = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = own.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        added.add_argument("--file", metavar="FILE", help=f"the file of keys; by default that of {VARIABLE}")
        added.add_argument("--json", action="store_true", help="print one JSON value, for programs")
        added.set_defaults(run=run)
        return added

    adding = add("add", _add, "make a key; it is shown once, on the last line")
    adding.add_argument("name", metavar="NAME", help="whose key it is, or what it is for")
    adding.add_argument("--scopes", default="", metavar="SCOPES", help='what it may do: "read write"; none by default')
    adding.add_argument(
        "--expires", default="never", metavar="WHEN", help="90d, 12h (m, h, d, w, y), a date or time of ISO 8601; never"
    )
    add("list", _list, "list all keys, without what is secret")
    revoking = add("revoke", _revoke, "revoke a key: what it has open ends within 10 seconds")
    revoking.add_argument("key", metavar="NAME|ID", help="the key's id, or its name if one valid key has it")
    explaining = add("explain", _explain, "say what a key is, what it may do, and why it is refused")
    explaining.add_argument("key", metavar="NAME|ID|-", help="- reads the key itself from standard input")


def _add(arguments: argparse.Namespace) -> int:
    """Raises StartError, as all of these."""
    import secrets

    from mcp_app.auth import keys
    from mcp_app.auth.key_records import KeyRecord, check_name
    from mcp_app.protocol.scopes import read_scopes

    now = int(time.time())
    try:
        name, scopes = check_name(arguments.name), read_scopes(arguments.scopes.replace(",", " "))
        expires = _expiry(arguments.expires, now)
    except ValueError as error:
        raise StartError(str(error)) from None
    made: list[tuple[keys.Key, KeyRecord]] = []

    def change(records: dict[str, KeyRecord]) -> None:
        if any(each.name == name and each.state(now) == "valid" for each in records.values()):
            raise StartError(f"there is a valid key of the name {name}: revoke it first, or choose another name")
        key = keys.make(secrets.randbits)
        while key.id in records:
            key = keys.make(secrets.randbits)
        records[key.id] = KeyRecord(key.id, name, key.digest, scopes, now, expires)
        made.append((key, records[key.id]))

    file = _file(arguments)
    _changed(file, change, create=True)
    [(key, record)] = made
    if arguments.json:
        _print_json({**record.shown(), "key": key.text, "file": str(file.path)})
    else:
        print(_line(record, now))
        print(f"Kept in {file.path}, where the key itself is not: it is shown this once.")
        print(key.text)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    now = time.time()
    records = list(_read(_file(arguments)).values())
    if arguments.json:
        _print_json([{**each.shown(), "state": each.state(now)} for each in records])
    elif not records:
        print("There are no keys.")
    else:
        _print_table(records, now)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    now = int(time.time())
    done: list[KeyRecord] = []

    def change(records: dict[str, KeyRecord]) -> None:
        found = _found(list(records.values()), arguments.key, now)
        if found.revoked is None:
            found = records[found.id] = replace(found, revoked=now, digest=b"")
        done.append(found)

    _changed(_file(arguments), change)
    if arguments.json:
        _print_json(done[0].shown())
    else:
        print(_line(done[0], now))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    """Exit status 1 for a key that opens nothing."""
    import hmac

    from mcp_app.auth import keys

    file, now = _file(arguments), time.time()
    secret = sys.stdin.readline(1000).strip() if arguments.key == "-" else None  # first: a pipe may begin with `add`
    records = _read(file)
    if secret is None and keys.is_key(arguments.key):
        raise StartError("a key among the words of a command is seen by everybody on this machine: give - and pipe it")
    if secret is None:
        record, why = _found(list(records.values()), arguments.key, now), None
    else:
        key = keys.parse(secret)
        found = None if key is None else records.get(key.id)
        right = found is not None and found.revoked is None and hmac.compare_digest(found.digest, keys.digest(secret))
        if key is None:
            why = "This is no key: a part of it is missing, or was mistyped."
        elif found is None:
            why = f"The key has the id {key.id}, and {file.path} has none of that id."
        elif found.revoked is None and not right:
            why = f"The key has the id {key.id}, and another secret than the key of that id in {file.path}."
        else:
            why = None
        if why is not None or found is None:
            if arguments.json:
                _print_json({"state": "unknown", "reason": why})
            else:
                print(why)
            return 1
        record = found
    state, implied = record.state(now), sorted(_implied(record.scopes) - record.scopes)
    if arguments.json:
        _print_json({**record.shown(), "state": state, "principal": f"key:{record.id}", "implied": implied})
    else:
        print(_line(record, now))
        print(f"Tools see it as ctx.principal key:{record.id}.")
        if implied:
            print(f"Its scopes imply: {' '.join(implied)} (MCP_APP_SCOPES).")
    return 0 if state == "valid" else 1


def _file(arguments: argparse.Namespace) -> KeyFile:
    if sys.platform == "win32":
        raise StartError("Windows has no fcntl, and no file of keys: make them in WSL, where the server runs")
    from mcp_app.auth.key_file import KeyFile

    path = arguments.file or os.environ.get(VARIABLE)
    if not path:
        raise StartError(f"which file of keys? Give --file FILE, or set {VARIABLE}, which a server needs as well")
    return KeyFile(path)


def _read(file: KeyFile) -> dict[str, KeyRecord]:
    from mcp_app.auth.key_file import KeyFileError

    try:
        return file.read()
    except KeyFileError as error:
        raise StartError(str(error)) from None


def _changed(file: KeyFile, change: Callable[[dict[str, KeyRecord]], None], *, create: bool = False) -> None:
    from mcp_app.auth.key_file import KeyFileError

    try:
        file.change(change, create=create)
    except KeyFileError as error:
        raise StartError(str(error)) from None


def _found(records: list[KeyRecord], word: str, now: float) -> KeyRecord:
    """The key of that id; else the valid one of that name, or the only one."""
    named = [each for each in records if each.name == word]
    found = [each for each in records if each.id == word] or [each for each in named if each.state(now) == "valid"]
    found = found or named
    if len(found) == 1:
        return found[0]
    if found:
        raise StartError(f"{len(found)} keys have the name {word}: give an id, {', '.join(each.id for each in found)}")
    known = ", ".join(sorted({each.name for each in records}))
    raise StartError(f"there is no key {word}" + (f"; there are: {known}" if known else "; there is none at all"))


def _expiry(text: str, now: int) -> int | None:
    """Unix seconds. Raises ValueError."""
    from mcp_app.auth.key_records import read_time, written_time

    if text == "never":
        return None
    try:
        match = _SPAN.fullmatch(text)
        expires = read_time(text) if match is None else now + int(match[1]) * _SECONDS[match[2]]
        written_time(expires)  # ValueError beyond the year 9999
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no expiry: 90d, 12h, 2027-01-31, 2027-01-31T12:00:00Z or never") from None
    if expires <= now:
        raise ValueError(f"{text} is over: the key would never be valid")
    return expires


def _implied(scopes: frozenset[str]) -> frozenset[str]:
    from mcp_app.protocol.scopes import Hierarchy

    try:
        return Hierarchy.read(os.environ.get("MCP_APP_SCOPES", "")).implied(scopes)
    except ValueError as error:
        raise StartError(f"MCP_APP_SCOPES: {error}") from None


def _line(record: KeyRecord, now: float) -> str:
    shown = record.shown()
    scopes = " ".join(shown["scopes"]) or "none"
    until = f"revoked {shown['revoked']}" if record.revoked else f"expires {shown['expires'] or 'never'}"
    return f"Key {record.id} of {record.name}: {record.state(now)}, {until}, scopes: {scopes}."


def _print_table(records: list[KeyRecord], now: float) -> None:
    rows = [("id", "name", "state", "expires", "last used", "scopes")]
    for each in records:
        shown = each.shown()
        dates = (shown["expires"] or "never", shown["last_used"] or "never")
        rows.append((each.id, each.name, each.state(now), *dates, " ".join(shown["scopes"]) or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))
