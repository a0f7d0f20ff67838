"""`MCP_APP_EVENT_LOG`: where runs are written down, as an operator writes it.

    memory        sqlite:///var/lib/tools/log.db        redis://[user:password@]host[:port][/db][?encrypt=1]
                  redis+sentinel://host,host/service    redis+cluster://host,host        and rediss… with TLS

Pure: nothing is opened here. What the hosts and the options of a URL mean is decided by the log that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl, unquote

FORM = "write memory, sqlite:///PATH, redis://HOST:PORT or rediss://HOST:PORT"

_KINDS: Mapping[str, Literal["sqlite", "redis"]] = MappingProxyType(
    {
        "sqlite": "sqlite",
        "redis": "redis",
        "rediss": "redis",
        "redis+sentinel": "redis",
        "rediss+sentinel": "redis",
        "redis+cluster": "redis",
        "rediss+cluster": "redis",
    }
)


@dataclass(frozen=True, slots=True)
class LogAddress:
    """Which log, and where. `url` is as it was written and may have a password in it: the text of an address has none.
    `path` is the file of a log that is one, empty else. `options` are what stands behind the question mark."""

    kind: Literal["memory", "sqlite", "redis"] = "memory"
    url: str = field(default="memory", repr=False)
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Whether other processes can read it."""
        return self.kind != "memory"

    def __str__(self) -> str:
        """The address for a log line or a message: without user and password, and without the options."""
        if self.kind == "memory":
            return self.kind
        scheme, _, rest = self.url.partition("://")
        place, _, path = rest.partition("?")[0].partition("/")
        return f"{scheme}://{place.rpartition('@')[2]}/{path}".removesuffix("/")


def parse_event_log(value: object) -> object:
    """The address that a text is. Raises ValueError, whose message does not repeat what may be a password."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text == "memory":
        return LogAddress()
    # Not by urlsplit: several hosts are one with a wrong port to it.
    scheme, _, rest = text.partition("://")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError(f"MCP_APP_EVENT_LOG is no address of a log: {FORM}") from None
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        raise ValueError(f"MCP_APP_EVENT_LOG names no log that there is: {FORM}")
    if "#" in text:
        raise ValueError("MCP_APP_EVENT_LOG has a #: write %23 where it belongs to a name or a password")
    if kind == "sqlite":
        if authority or not path.strip("/"):
            raise ValueError("MCP_APP_EVENT_LOG names no file: write sqlite:///PATH, with three slashes before it")
        return LogAddress(kind, text, unquote(slash + path), options)
    hosts = authority.rpartition("@")[2].split(",")
    if "" in hosts or any(each.startswith(":") for each in hosts):
        raise ValueError(f"MCP_APP_EVENT_LOG names no host: {FORM}")
    ports = [each.rpartition("]")[2].partition(":") for each in hosts]
    if any(colon and not port.isdecimal() for _, colon, port in ports):
        raise ValueError(f"MCP_APP_EVENT_LOG is no address of a log: its port is no number: {FORM}")
    return LogAddress(kind, text, "", options)
