"""Content negotiation by the Accept header field (RFC 9110, 12.5.1).

Pure: a header value in, a choice out. `quality` evaluates the header for one media type and knows no dialect; `choose`
is the plain dialect's choice between the two representations. Options of a request body (`"stream": false`) and the
writing of answers may not be in here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

# Ranges of one header that are evaluated; browsers send about eight. It bounds the work for one request whatever header
# size the server allows.
MAX_RANGES = 100

# Size of the cache of evaluated headers (a client sends the same one with every request) and the longest header in it.
# Both numbers bound the memory that clients can fill; browsers' headers have some 130 characters.
CACHED_HEADERS = 256
CACHED_HEADER_CHARS = 256

# 5.6.2 token; 5.6.6 parameter, whose value is a token or a quoted-string (5.6.4).
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar rule's name, not a secret
_NAME = re.compile(_TOKEN)
_MEDIA_RANGE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
# 12.4.2 weight: `0.5`, at most three decimals. Existing clients send `.2` (java.net) and a float's sixteen decimals.
_WEIGHT = re.compile(r"[01](?:\.[0-9]*)?|\.[0-9]+", re.ASCII)

Parameters = frozenset[tuple[str, str]]


class Representation(Enum):
    """The two formats of an answer. The value is the media type."""

    EVENT_STREAM = "text/event-stream"
    JSON = "application/json"


class Quality(NamedTuple):
    """The weight that an Accept header gives to one media type.

    `q` is 0 for "never" and for a type that no range matches. `specificity` is that of the matching range: 0 none,
    1 `*/*` or no header at all, 2 `type/*`, 3 `type/subtype`, and one more for each parameter.
    """

    q: float
    specificity: int


NO_MATCH = Quality(0.0, 0)
ANYTHING = Quality(1.0, 1)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One element of the header: `*/*`, `type/*` or `type/subtype`, in lower case, with parameters and weight."""

    type: str
    subtype: str
    parameters: Parameters = frozenset()
    q: float = 1.0

    @property
    def specificity(self) -> int:
        """The specificity of this range, as in Quality."""
        return 1 + (self.type != "*") + (self.subtype != "*") + len(self.parameters)

    def matches(self, offered: MediaRange) -> bool:
        """Whether the media type `offered` is in this range. It must have all parameters of the range."""
        return (
            self.type in ("*", offered.type)
            and self.subtype in ("*", offered.subtype)
            and self.parameters <= offered.parameters
        )


_EVENT_STREAM = MediaRange("text", "event-stream")
_JSON = MediaRange("application", "json")


def parse(accept: str) -> tuple[MediaRange, ...]:
    """The header's ranges, in order. Empty and malformed elements are skipped; this never raises."""
    ranges: list[MediaRange] = []
    for element in _split(accept, ","):
        if len(ranges) == MAX_RANGES:
            break
        parsed = _media_range(element)
        if parsed is not None:
            ranges.append(parsed)
    return tuple(ranges)


def quality(accept: str | None, media_type: str) -> Quality:
    """The header's weight for `media_type`, which may have parameters ("text/html;level=1").

    12.5.1: the most specific matching range applies, whatever its position. A repeated range counts with its lowest
    weight, so that q=0 means never. A missing header, or one without a valid element, accepts anything.

    Raises ValueError when `media_type` is not a media type.
    """
    if accept is None or len(accept) <= CACHED_HEADER_CHARS:
        return _cached_quality(accept, media_type)
    return _parse_quality(accept, media_type)


def _parse_quality(accept: str | None, media_type: str) -> Quality:
    offered = _media_range(media_type)
    if offered is None or "*" in (offered.type, offered.subtype):
        raise ValueError(f"{media_type!r} is not a media type")
    return _quality(None if accept is None else parse(accept), offered)


def choose(accept: str | None, own: Representation = Representation.EVENT_STREAM) -> Representation | None:
    """The plain dialect's representation for this header; None is 406 Not Acceptable.

    The higher weight wins; at equal weights the type with the more specific range; otherwise (no header, wildcards
    only, both named alike) the route's `own`.
    """
    if accept is None or len(accept) <= CACHED_HEADER_CHARS:
        return _cached_choice(accept, own)
    return _parse_choice(accept, own)


def _parse_choice(accept: str | None, own: Representation) -> Representation | None:
    ranges = None if accept is None else parse(accept)
    stream = _quality(ranges, _EVENT_STREAM)
    json = _quality(ranges, _JSON)
    best = max(stream, json)  # as tuples: by weight, then by specificity
    if best.q == 0:
        return None
    if stream == json:
        return own
    return Representation.EVENT_STREAM if stream == best else Representation.JSON


_cached_quality = lru_cache(maxsize=CACHED_HEADERS)(_parse_quality)
_cached_choice = lru_cache(maxsize=CACHED_HEADERS)(_parse_choice)


def _quality(ranges: Collection[MediaRange] | None, offered: MediaRange) -> Quality:
    if not ranges:
        return ANYTHING
    matching = [Quality(each.q, each.specificity) for each in ranges if each.matches(offered)]
    return min(matching, key=lambda each: (-each.specificity, each.q), default=NO_MATCH)


def _media_range(element: str) -> MediaRange | None:
    """One element, or None when it is malformed."""
    kind, *rest = _split(element, ";")
    kind = kind.strip(" \t")
    if kind == "*":  # not in the grammar, but java.net sends "*; q=.2"
        kind = "*/*"
    match = _MEDIA_RANGE.fullmatch(kind)
    if match is None or (match[1] == "*" and match[2] != "*"):
        return None
    weight: float | None = None
    parameters: set[tuple[str, str]] = set()
    for each in rest:
        parameter = _parameter(each)
        if parameter is None:
            return None
        name, value = parameter
        if name == "q":  # "process any parameter named "q" as weight, regardless of parameter ordering"
            if weight is not None or (weight := _weight(value)) is None:
                return None
        elif name and parameter != ("charset", "utf-8"):  # both types are UTF-8, so this parameter changes nothing
            parameters.add(parameter)
    return MediaRange(match[1].lower(), match[2].lower(), frozenset(parameters), 1.0 if weight is None else weight)


def _parameter(text: str) -> tuple[str, str] | None:
    """Name and value in lower case; two empty strings for an empty parameter (5.6.6 allows it)."""
    text = text.strip(" \t")
    if not text:
        return "", ""
    name, _, value = text.partition("=")
    quoted = _QUOTED_STRING.fullmatch(value)
    if quoted is not None:
        value = _QUOTED_PAIR.sub(r"\1", quoted[1])
    elif _NAME.fullmatch(value) is None:
        return None
    return (name.lower(), value.lower()) if _NAME.fullmatch(name) else None


def _weight(text: str) -> float | None:
    if _WEIGHT.fullmatch(text) is None:
        return None
    weight = float(text)
    return weight if weight <= 1 else None


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside of quoted strings. One pass: the header is untrusted."""
    if '"' not in text:
        return text.split(separator)
    parts: list[str] = []
    start = 0
    quoted = escaped = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == '"':
            quoted = not quoted
        elif quoted:
            escaped = character == "\\"
        elif character == separator:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts
