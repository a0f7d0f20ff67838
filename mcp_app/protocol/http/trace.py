"""Trace context: the trace that a call belongs to according to its caller, to be forwarded unmodified.

W3C Trace Context (Level 2) and W3C Baggage, as HTTP header fields and, by the same names, in MCP's `_meta`
(2026-07-28, basic/index, OpenTelemetry trace context). Nothing is traced here and no id is generated: this server
forwards ("Unmodified header propagation", Trace Context 3.4). Invalid values are ignored, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

MAX_TRACEPARENT_CHARS = 512
"""55 in the current version; later ones may be longer, and only "prohibitively large headers" may be rejected."""

MAX_TRACESTATE_CHARS = 32 * (256 + 1 + 256) + 31
"""The size of 32 members of maximum size with their commas. A larger one is dropped entirely: as `traceparent` is
forwarded unmodified, it must not be modified either (Trace Context 3.4)."""

MAX_TRACESTATE_MEMBERS = 32

MAX_BAGGAGE_MEMBERS = 64
MAX_BAGGAGE_CHARS = 8192
"""With 64 members, the minimum that must be propagated (Baggage, Limits); beyond it, the first members that fit."""

_MAX_PARSED_MEMBERS = 180
"""Members of baggage that are parsed, valid or not: the grammar's maximum. A megabyte of small members would take
165 ms."""

_OWS = " \t"
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-[!-~]*)?",
    re.ASCII,
)
_TRACESTATE_MEMBER = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]", re.ASCII)
# Possessive quantifiers: no part can match what follows it, so backtracking would only cost time on invalid members.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # noqa: S105 - RFC 9110, 5.6.2
_VALUE = r"[!#-+\--:<-\[\]-~]*+"
_BAGGAGE_MEMBER = re.compile(
    rf"(?P<key>{_TOKEN})[ \t]*+=[ \t]*+(?P<value>{_VALUE})(?:[ \t]*+;[ \t]*+{_TOKEN}(?:[ \t]*+=[ \t]*+{_VALUE})?+)*+",
    re.ASCII,
)
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a call belongs to. Without one every field is None, and `baggage` is empty."""

    traceparent: str | None = None
    """Unmodified: version, trace id, the caller's span and flags."""
    tracestate: str | None = None
    """Unmodified; None without a traceparent."""
    baggage_text: str | None = None
    """The valid members of the baggage."""

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits, shared by all spans of the trace."""
        return None if self.traceparent is None else self.traceparent[3:35]

    @property
    def parent_id(self) -> str | None:
        """16 hexadecimal digits: the caller's span, the parent of this call."""
        return None if self.traceparent is None else self.traceparent[36:52]

    @property
    def sampled(self) -> bool:
        """The sampled flag: whether the caller may have recorded its span."""
        return self.traceparent is not None and bool(int(self.traceparent[53:55], 16) & _SAMPLED)

    @property
    def baggage(self) -> dict[str, str]:
        """The baggage by key, percent-decoded; the last value of a repeated key."""
        members = [] if self.baggage_text is None else self.baggage_text.split(",")
        matches = (_BAGGAGE_MEMBER.fullmatch(member.strip(_OWS)) for member in members)
        return {each["key"]: unquote(each["value"]) for each in matches if each is not None}

    def headers(self) -> dict[str, str]:
        """The fields to add to outgoing requests, as HTTP header fields or in `_meta`; empty without a trace."""
        fields = {"traceparent": self.traceparent, "tracestate": self.tracestate, "baggage": self.baggage_text}
        return {name: value for name, value in fields.items() if value is not None}


UNTRACED = Trace()


def extract_trace(headers: Mapping[str, str], meta: Mapping[str, Any] | None = None) -> Trace:
    """The trace of a call, from its `_meta` or else its HTTP header fields (names in lower case).

    `traceparent` and `tracestate` belong together and come from the same source; `baggage` is independent of them.
    """
    sources: tuple[Mapping[str, Any], ...] = (headers,) if not meta else (meta, headers)
    traceparent = tracestate = baggage = None
    for source in sources:
        if traceparent is None and (traceparent := _traceparent(source.get("traceparent"))) is not None:
            tracestate = _tracestate(source.get("tracestate"))
        if baggage is None:
            baggage = _baggage(source.get("baggage"))
    if traceparent is None and baggage is None:
        return UNTRACED
    return Trace(traceparent, tracestate, baggage)


def _traceparent(value: Any) -> str | None:
    """Trace Context 3.2.2 and 3.2.4: version 00 exactly; of a higher version the part that is defined in 00."""
    if not isinstance(value, str) or len(value) > MAX_TRACEPARENT_CHARS:
        return None
    text = value.strip(_OWS)
    match = _TRACEPARENT.fullmatch(text)
    if match is None or (match["version"] == "00" and match["more"] is not None):
        return None
    return text


def _tracestate(value: Any) -> str | None:
    """Trace Context 3.3.1: valid as a whole, or dropped. Empty members are allowed, repeated keys are not."""
    if not isinstance(value, str) or len(value) > MAX_TRACESTATE_CHARS:
        return None
    text = value.strip(_OWS)
    members = [each for part in text.split(",") if (each := part.strip(_OWS))]
    matches = [_TRACESTATE_MEMBER.fullmatch(member) for member in members]
    keys = {each[1] for each in matches if each is not None}
    if not members or len(members) > MAX_TRACESTATE_MEMBERS or len(keys) < len(members):
        return None
    return text


def _baggage(value: Any) -> str | None:
    """Baggage, Definition and Limits: invalid members are removed, and members beyond the limits."""
    if not isinstance(value, str):
        return None
    kept: list[str] = []
    size = 0
    parts = value.split(",", _MAX_PARSED_MEMBERS)
    for part in parts[:_MAX_PARSED_MEMBERS]:
        member = part.strip(_OWS)
        if len(member) > MAX_BAGGAGE_CHARS or _BAGGAGE_MEMBER.fullmatch(member) is None:
            continue
        size += len(member) + (1 if kept else 0)
        if len(kept) >= MAX_BAGGAGE_MEMBERS or size > MAX_BAGGAGE_CHARS:
            break
        kept.append(member)
    unchanged = len(kept) == len(parts) and len(value) <= MAX_BAGGAGE_CHARS
    return value.strip(_OWS) if unchanged else ",".join(kept) or None
