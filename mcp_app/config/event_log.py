"""`MCP_APP_EVENT_LOG`: where runs are written down, as an operator writes it.

    memory        sqlite:///var/lib/tools/log.db        redis://[user:password@]host[:port][/db][?encrypt=1]
                                                        rediss://, redis+sentinel://, rediss+sentinel://

Pure: nothing is opened here. What the options of a URL mean is decided by the log that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

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
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def parse_event_log(value: object) -> object:
    """The address that a text is. Raises ValueError, whose message does not repeat what may be a password."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text == "memory":
        return LogAddress()
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(f"MCP_APP_EVENT_LOG is no address of a log: {FORM}") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise ValueError(f"MCP_APP_EVENT_LOG names no log that there is: {FORM}")
    if parts.fragment:
        raise ValueError("MCP_APP_EVENT_LOG has a #: write %23 where it belongs to a name or a password")
    if kind == "sqlite":
        if parts.netloc or not parts.path.strip("/"):
            raise ValueError("MCP_APP_EVENT_LOG names no file: write sqlite:///PATH, with three slashes before it")
        return LogAddress(kind, text, unquote(parts.path), options)
    if not parts.hostname:
        raise ValueError(f"MCP_APP_EVENT_LOG names no host: {FORM}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"MCP_APP_EVENT_LOG is no address of a log: its port is no number: {FORM}") from None
    return LogAddress(kind, text, "", options)
