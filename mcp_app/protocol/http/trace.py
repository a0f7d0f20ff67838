"""Trace context: what a caller says of the trace that its call belongs to, to be passed on as it came.

W3C Trace Context (Level 2) and W3C Baggage, as HTTP header fields and, by the same names, in MCP's `_meta`
(2026-07-28, basic/index, OpenTelemetry trace context). Nothing is traced here, and no id is made: this server forwards
("Unmodified header propagation", Trace Context 3.4). What is not valid is as if it were not there, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

MAX_TRACEPARENT_CHARS = 512
"""55 in the version there is; later ones may be longer, and "only prohibitively large headers" are to be disallowed."""

MAX_TRACESTATE_CHARS = 32 * (256 + 1 + 256) + 31
"""What 32 members of the largest size and their commas take. One that is larger is dropped whole: as `traceparent` is
not changed, it must not be either (Trace Context 3.4)."""

MAX_TRACESTATE_MEMBERS = 32

MAX_BAGGAGE_MEMBERS = 64
MAX_BAGGAGE_CHARS = 8192
"""With 64 members, what has to be propagated at least (Baggage, Limits); of more, the first that fit."""

_LOOKED_AT = 180
"""Members of baggage that are looked at, valid or not: as many as the grammar has. A megabyte of small ones would take
165 ms."""

_OWS = " \t"
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-[!-~]*)?",
    re.ASCII,
)
_TRACESTATE_MEMBER = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]", re.ASCII)
# Possessive: what follows each part cannot be of it, so that giving some of it back is time lost on a wrong member.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # noqa: S105 - RFC 9110, 5.6.2
_VALUE = r"[!#-+\--:<-\[\]-~]*+"
_BAGGAGE_MEMBER = re.compile(
    rf"(?P<key>{_TOKEN})[ \t]*+=[ \t]*+(?P<value>{_VALUE})(?:[ \t]*+;[ \t]*+{_TOKEN}(?:[ \t]*+=[ \t]*+{_VALUE})?+)*+",
    re.ASCII,
)
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a call belongs to; every member is None, and `baggage` empty, where its caller said none."""

    traceparent: str | None = None
    """As it came: version, trace id, the caller's span and flags."""
    tracestate: str | None = None
    """As it came; None without a traceparent."""
    baggage_text: str | None = None
    """The members of the baggage that are valid."""

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits, the same in all that happens for one cause."""
        return None if self.traceparent is None else self.traceparent[3:35]

    @property
    def parent_id(self) -> str | None:
        """16 hexadecimal digits: the caller's own span, of which this call is a part."""
        return None if self.traceparent is None else self.traceparent[36:52]

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded its part."""
        return self.traceparent is not None and bool(int(self.traceparent[53:55], 16) & _SAMPLED)

    @property
    def baggage(self) -> dict[str, str]:
        """The caller's own values by their keys, decoded; of a key that is there twice the last."""
        members = [] if self.baggage_text is None else self.baggage_text.split(",")
        found = (_BAGGAGE_MEMBER.fullmatch(member.strip(_OWS)) for member in members)
        return {each["key"]: unquote(each["value"]) for each in found if each is not None}

    def headers(self) -> dict[str, str]:
        """What to send along with requests of one's own, as HTTP header fields or in `_meta`; empty without a trace."""
        said = {"traceparent": self.traceparent, "tracestate": self.tracestate, "baggage": self.baggage_text}
        return {name: value for name, value in said.items() if value is not None}


UNTRACED = Trace()


def extract_trace(headers: Mapping[str, str], meta: Mapping[str, Any] | None = None) -> Trace:
    """The trace of a call, by its HTTP header fields (names in lower case) and its `_meta`, which is asked first.

    `traceparent` and `tracestate` belong together and come from the same place; `baggage` stands for itself.
    """
    places: tuple[Mapping[str, Any], ...] = (headers,) if not meta else (meta, headers)
    traceparent = tracestate = baggage = None
    for place in places:
        if traceparent is None and (traceparent := _traceparent(place.get("traceparent"))) is not None:
            tracestate = _tracestate(place.get("tracestate"))
        if baggage is None:
            baggage = _baggage(place.get("baggage"))
    if traceparent is None and baggage is None:
        return UNTRACED
    return Trace(traceparent, tracestate, baggage)


def _traceparent(value: Any) -> str | None:
    """Trace Context 3.2.2 and 3.2.4: version 00 exactly, of a higher one what is known of it."""
    if not isinstance(value, str) or len(value) > MAX_TRACEPARENT_CHARS:
        return None
    text = value.strip(_OWS)
    found = _TRACEPARENT.fullmatch(text)
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    return text


def _tracestate(value: Any) -> str | None:
    """Trace Context 3.3.1: whole or not at all. Empty members are allowed, two of one key are not."""
    if not isinstance(value, str) or len(value) > MAX_TRACESTATE_CHARS:
        return None
    text = value.strip(_OWS)
    members = [each for part in text.split(",") if (each := part.strip(_OWS))]
    found = [_TRACESTATE_MEMBER.fullmatch(member) for member in members]
    keys = {each[1] for each in found if each is not None}
    if not members or len(members) > MAX_TRACESTATE_MEMBERS or len(keys) < len(members):
        return None
    return text


def _baggage(value: Any) -> str | None:
    """Baggage, Definition and Limits: what is not in the format is removed, and so is what is beyond the limits."""
    if not isinstance(value, str):
        return None
    kept: list[str] = []
    size = 0
    parts = value.split(",", _LOOKED_AT)
    for part in parts[:_LOOKED_AT]:
        member = part.strip(_OWS)
        if len(member) > MAX_BAGGAGE_CHARS or _BAGGAGE_MEMBER.fullmatch(member) is None:
            continue
        size += len(member) + (1 if kept else 0)
        if len(kept) >= MAX_BAGGAGE_MEMBERS or size > MAX_BAGGAGE_CHARS:
            break
        kept.append(member)
    whole = len(kept) == len(parts) and len(value) <= MAX_BAGGAGE_CHARS
    return value.strip(_OWS) if whole else ",".join(kept) or None
