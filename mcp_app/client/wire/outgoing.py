"""A request as a value. Who sends it, and where to, is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
BOTH = f"{JSON}, {EVENT_STREAM}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request. `path` begins with a slash and may have a query; `headers` are those that the dialect needs."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def post_json(path: str, body: bytes, accept: str, **more: str) -> Outgoing:
    """A POST of JSON; `more` are further header fields, with `_` for `-`."""
    return Outgoing("POST", path, {"Accept": accept, "Content-Type": JSON, **_fields(more)}, body)


def get(path: str, accept: str, **more: str) -> Outgoing:
    """A GET; `more` are further header fields, with `_` for `-`. One without a value is left out."""
    return Outgoing("GET", path, {"Accept": accept, **_fields(more)})


def _fields(more: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in more.items() if value}
