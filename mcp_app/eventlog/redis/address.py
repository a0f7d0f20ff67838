"""Which Redis: the URL of MCP_APP_EVENT_LOG, read. Nothing is connected here.

    redis://[user:password@]host[:6379][/db]                           one server; rediss:// with TLS
    redis+sentinel://[user:password@]host[:26379],host2…/service[/db]   whichever the Sentinels call the primary
    redis+cluster://[user:password@]host[:6379],host2…                  a Cluster, found by any of these

One grammar for the three, with the names that pydocket, Prefect and `limits` have for them; redis-py itself reads the
first two schemes only. `rediss+sentinel` and `rediss+cluster` are the same with TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, unquote

from ...protocol.errors import LogRefused

DEFAULT_PREFIX = "mcp_app:"
"""In front of every key and channel, so that several applications may share a server."""

_PORT, _SENTINEL_PORT = 6379, 26379


class RedisKind(Enum):
    """How the primary of a key is found. The value is what follows `redis` in the scheme."""

    SERVER = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where the log is. `hosts` are those of the URL: the server, the Sentinels, or some nodes of the Cluster.

    `options` are keyword arguments of redis-py's connections: who we are, TLS, the database. `repr` has no password.
    """

    kind: RedisKind
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    service: str = ""
    prefix: str = DEFAULT_PREFIX
    encrypt: bool = False
    options: Mapping[str, str | int | bool] = field(default_factory=dict, repr=False)
    sentinel_options: Mapping[str, str | int | bool] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """For people, without who we are."""
        named = ", ".join(f"{host}:{port}" for host, port in self.hosts)
        if self.kind is RedisKind.SENTINEL:
            return f"Redis {self.service!r} of the Sentinels {named}"
        return f"Redis at {named}"


def read_address(url: str) -> RedisAddress:
    """Raises LogRefused with what is wrong in the URL; the message has no password."""
    scheme, _, rest = url.partition("://")
    for kind in RedisKind:
        for tls in (False, True):
            if scheme.lower() == f"redis{'s' * tls}{kind.value}":
                return _read(kind, tls, rest)
    raise _refused(f"its scheme is {scheme!r}", "Use redis, redis+sentinel or redis+cluster, or rediss… for TLS.")


def _read(kind: RedisKind, tls: bool, rest: str) -> RedisAddress:
    # By hand: urllib takes several hosts for one with a wrong port, and refuses an IPv6 address among them.
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    parts = [unquote(part) for part in path.split("/") if part]
    service = ""
    if kind is RedisKind.SENTINEL:
        if not parts:
            raise _refused("it names no service", "Say which: redis+sentinel://host:26379/SERVICE.")
        service = parts.pop(0)
    asked = _options(query, tls)
    options: dict[str, str | int | bool] = {name: value for name, value in asked.items() if name.startswith("ssl_")}
    sentinel_options = dict(options)
    for name, value in (("username", user), ("password", password)):
        if value:
            options[name] = unquote(value)
        if (of_sentinel := asked.get(f"sentinel_{name}")) is not None:
            sentinel_options[name] = of_sentinel
    if database := _database(kind, parts):
        options["db"] = database
    return RedisAddress(
        kind,
        tuple(_host(each, _SENTINEL_PORT if kind is RedisKind.SENTINEL else _PORT) for each in hosts.split(",")),
        tls,
        service,
        _prefix(str(asked.get("prefix", DEFAULT_PREFIX))),
        bool(asked.get("encrypt", False)),
        options,
        sentinel_options,
    )


def _host(text: str, port: int) -> tuple[str, int]:
    """`name`, `name:1`, `[::1]` or `[::1]:1`."""
    name, bracket, behind = text.rpartition("]")
    if bracket:
        name, colon, number = name.removeprefix("["), behind[:1], behind[1:]
        if behind and colon != ":":
            raise _refused(f"{text!r} is no host", "An IPv6 address stands in brackets: [::1]:6379.")
    else:
        name, colon, number = text.partition(":")
    if not colon:
        return unquote(name) or "localhost", port
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise _refused(f"{text!r} has no port", "Write each host as HOST:PORT; in a password %40 stands for @.")
    return unquote(name) or "localhost", int(number)


def _database(kind: RedisKind, parts: list[str]) -> int:
    if not parts:
        return 0
    if len(parts) > 1 or not parts[0].isdecimal():
        raise _refused(f"{'/'.join(parts)!r} is no database", "A database is a number, as in redis://host/1.")
    if kind is RedisKind.CLUSTER and int(parts[0]):
        raise _refused("a Cluster has one database", "Take the number away; ?prefix= keeps applications apart.")
    return int(parts[0])


def _prefix(text: str) -> str:
    if not text or len(text) > 100 or set(text) & set("{}") or not text.isprintable():
        raise _refused("its prefix cannot be one", "A prefix has 1 to 100 printable characters, and no braces.")
    return text


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "0", "false", "no"):
        raise ValueError(text)
    return text.lower() in ("1", "true", "yes")


_OPTIONS: Mapping[str, Callable[[str], str | bool]] = {
    "prefix": str,
    "encrypt": _yes_or_no,
    "sentinel_username": str,
    "sentinel_password": str,
}
_TLS_OPTIONS: Mapping[str, Callable[[str], str | bool]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_check_hostname": _yes_or_no,
}
"""As redis-py names them. That a certificate is verified cannot be switched off: what is stored are callers' data."""


def _options(query: str, tls: bool) -> dict[str, str | bool]:
    known = {**_OPTIONS, **_TLS_OPTIONS} if tls else _OPTIONS
    found: dict[str, str | bool] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name in _TLS_OPTIONS and not tls:
            raise _refused(f"{name} is for TLS", "Begin the URL with rediss.")
        if name not in known:
            raise _refused(f"it has the option {name!r}", f"Known are {', '.join(known)}.")
        try:
            found[name] = known[name](text)
        except ValueError:
            raise _refused(f"{name}={text!r} is neither 1 nor 0", f"Write {name}=1, or leave it away.") from None
    return found


def _refused(why: str, remedy: str) -> LogRefused:
    return LogRefused(f"The URL of the event log cannot be used: {why}. {remedy}")
