"""Finds, reads and validates hypercorn.toml: a file whose settings would not take effect as written is rejected.

Hypercorn itself ignores unknown keys, tables and wrong types, and serves unencrypted if only one of certificate and key
is set. Here each of those is a `StartError` of one line that names the file, the key and the remedy. No socket and no
certificate is created here; which keys exist and which types they take is read from Hypercorn itself (`vocabulary`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from hypercorn.config import Config

from mcp_app.config.defaults import default_text
from mcp_app.server.addresses import exposed_binds
from mcp_app.server.errors import StartError
from mcp_app.server.logs.lines import FORMATS
from mcp_app.server.vocabulary import closest_key, invalid_reason, is_key

FILE_NAME = "hypercorn.toml"

ADDRESS_KEYS = frozenset({"bind", "insecure_bind", "certfile", "keyfile"})
"""Belong together: a file that sets one of them gets none of the others from the shipped file."""

REFUSED: Mapping[str, str] = {
    "read_timeout": "it ends every HTTP/1.1 stream at that age: remove it (MCP_APP_CAP_SECONDS bounds streams)",
    "max_requests": "it restarts the process after so many requests and cuts its streams: remove it",
    "max_requests_jitter": "it belongs to max_requests, which cuts streams: remove it",
    "quic_bind": "HTTP/3 is not served: remove it",
    "use_reloader": "it needs worker processes: remove it and use 'mcp-app serve --reload'",
    "pid_path": "mcp-app serve stays in the foreground and writes no pid file: remove it",
}
"""Keys of Hypercorn's that would do harm here, or nothing."""


class Source(NamedTuple):
    """The origin of a configuration, so that an error can name the line to change."""

    name: str
    text: str

    def error(self, key: str, message: str) -> StartError:
        """A StartError that names the file, the line of `key` if it is found, and the key."""
        lines = self.text.splitlines()
        pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=\].]")
        line = next((f":{number}" for number, line in enumerate(lines, 1) if pattern.match(line)), "")
        return StartError(f"{self.name}{line}: {key}: {message}")


def load(
    path: Path | None = None,
    *,
    bind: Sequence[str] = (),
    insecure_bind: Sequence[str] = (),
    tls: bool = True,
    working: Path | None = None,
) -> tuple[Config, Source]:
    """The configuration to serve with, and its source.

    `path`, or the hypercorn.toml of the working directory, overrides the shipped file key by key; addresses and
    certificate only together. The event loop defaults to uvloop if that is installed. `bind` and `insecure_bind` (the
    command line) override the file's; without `tls` or a certificate, both are plain HTTP. Raises `StartError`.
    """
    source = _find(path, Path.cwd() if working is None else working)
    values = _parse(source)
    _check(values, source)
    shipped = tomllib.loads(default_text(FILE_NAME))
    if ADDRESS_KEYS & values.keys():
        shipped = {key: value for key, value in shipped.items() if key not in ADDRESS_KEYS}
    values = shipped | values
    if bind:
        values["bind"] = list(bind)
    if insecure_bind:
        values["insecure_bind"] = list(insecure_bind)
    values.setdefault("worker_class", "uvloop" if find_spec("uvloop") else "asyncio")
    given = [*bind, *insecure_bind]
    if insecure_bind and not (values.get("certfile") or values.get("keyfile")):
        values |= {"bind": given, "insecure_bind": []}
    _check_combinations(values, source)
    config = Config.from_mapping(values)
    if not tls:
        without_tls(config)
        config.bind = given or config.bind
    return config, source


def without_tls(config: Config) -> None:
    """Have `config` serve plain HTTP: at its `insecure_bind`, or at its `bind` where it has no other address."""
    config.certfile = config.keyfile = None
    config.bind, config.insecure_bind = config.insecure_bind or config.bind, []


def refuse_exposed_binds(config: Config) -> None:
    """Raise `StartError` if other machines can reach an address of `config`."""
    unsafe = exposed_binds([*config.bind, *config.insecure_bind])
    if unsafe:
        raise StartError(
            f"{', '.join(unsafe)} can be reached by other machines, and nothing here knows who calls: bind to "
            "127.0.0.1; or make keys, mcp-app keys add, and set MCP_APP_KEYS; or say --allow-anonymous, to let anybody "
            "who reaches it run the tools"
        )


def require_client_authority(config: Config, source: Source) -> None:
    """Raise `StartError` if `config` asks no client for a certificate."""
    if not config.ssl_enabled:
        raise source.error("certfile", "MCP_APP_CLIENT_CERTIFICATES needs TLS: set certfile and keyfile")
    if config.ca_certs is None or config.verify_mode == 0:
        raise source.error(
            "ca_certs",
            "MCP_APP_CLIENT_CERTIFICATES needs the authority that signs the clients' certificates, or none is asked "
            'for: ca_certs = "clients-ca.pem"',
        )


def _find(path: Path | None, working: Path) -> Source:
    if path is None and not (working / FILE_NAME).is_file():
        return Source(f"{FILE_NAME} (shipped)", default_text(FILE_NAME))
    found = working / FILE_NAME if path is None else path
    try:
        return Source(str(path or FILE_NAME), found.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartError(f"{found}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StartError(f"{found}: not UTF-8 text, which TOML must be") from error


def _parse(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise StartError(f"{source.name}: not TOML: {error}") from error


def _check(values: Mapping[str, Any], source: Source) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and key != "logconfig_dict":
            raise source.error(key, "Hypercorn ignores tables: write its keys at the top, without the [table]")
        if not is_key(key):
            suggestion = closest_key(key)
            raise source.error(
                key, f"Hypercorn has no such key{f'; did you mean {suggestion}?' if suggestion else ': remove it'}"
            )
        if (reason := invalid_reason(key, value)) is not None:
            raise source.error(key, reason)
        if key in REFUSED and value is not False and value not in ([], ""):
            raise source.error(key, REFUSED[key])


def _check_combinations(values: Mapping[str, Any], source: Source) -> None:
    tls_keys = [key for key in ("certfile", "keyfile") if values.get(key)]
    if len(tls_keys) == 1:
        other = "keyfile" if tls_keys == ["certfile"] else "certfile"
        raise source.error(
            tls_keys[0], f"without {other} everything would be served unencrypted: set {other}, or remove it"
        )
    if values.get("verify_mode", 0) not in (0, 1, 2):
        raise source.error("verify_mode", "0 asks no client for a certificate, 1 asks for one, 2 requires one")
    if values.get("verify_mode") and not values.get("ca_certs"):
        raise source.error("verify_mode", "without ca_certs no client's certificate counts: set it, or remove this key")
    if values.get("insecure_bind") and not tls_keys:
        raise source.error(
            "insecure_bind",
            "without certfile and keyfile it stays shut, and bind is served unencrypted: set both, or remove it",
        )
    if not values.get("bind"):
        raise source.error("bind", 'no address to listen on: bind = ["127.0.0.1:8443"]')
    if values.get("root_path", "").strip("/") and not values["root_path"].startswith("/"):
        raise source.error("root_path", "a path begins with a slash, and stands before each: no request would match")
    if values.get("access_log_format") not in FORMATS:
        raise source.error("access_log_format", "'text' or 'json', for every line of the log: its fields are fixed")
    if values.get("workers", 0) > 1:
        raise source.error("workers", "it is for Hypercorn's own command: set 0, and say mcp-app serve --workers N")
    if values.get("worker_class") not in ("asyncio", "uvloop"):
        raise source.error("worker_class", "'asyncio' or 'uvloop'")
