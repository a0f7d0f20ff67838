"""Range requests: which bytes of a representation are asked for (RFC 9110, 14). Nothing is read or sent here.

Only one range at a time is served: a request of several gets the whole, as "a server MAY ignore the Range header
field" (14.2).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import RequestError

_RANGE = re.compile(r"bytes=[ \t,]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t,]*", re.ASCII | re.IGNORECASE)
"""RFC 9110, 14.1.2: int-range or suffix-range. Case does not matter in units; empty list elements are skipped."""


class RangeNotSatisfiable(RequestError):
    """None of the bytes that Range asks for exist (RFC 9110, 15.5.17)."""

    code = "range_not_satisfiable"
    status = 416
    hint = "Content-Range says how many bytes there are."


class Slice(NamedTuple):
    """The bytes from `start` to before `end`."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """The Content-Range of a 206 (14.4)."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def asked_for(range_: str | None, size: int) -> Slice | None:
    """The range of a Range field; None for the whole: there is no field, or it is invalid, or names several ranges.

    Raises RangeNotSatisfiable.
    """
    match = None if range_ is None else _RANGE.fullmatch(range_.strip(" \t"))
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(_number(suffix), size)
        if length == 0:
            raise _unsatisfiable(size)
        return Slice(size - length, size)
    start = _number(first)
    if last and _number(last) < start:
        return None  # "invalid if the last-pos value is present and less than first-pos"
    if start >= size:
        raise _unsatisfiable(size)
    return Slice(start, min(_number(last) + 1, size) if last else size)


def _unsatisfiable(size: int) -> RangeNotSatisfiable:
    problem = f"Of the {size} bytes none is in that range."
    return RangeNotSatisfiable(problem, headers={"Content-Range": f"bytes */{size}"})


def _number(digits: str) -> int:
    """Of any length: what is longer than a size can be is as large as one, and costs nothing to read."""
    return int(digits.lstrip("0")[:20] or "0")


def applies(if_range: str | None, etag: str) -> bool:
    """Whether Range is heeded: there is no If-Range, or it is the strong tag of what is there (13.1.5).

    A date never applies: what is served has no Last-Modified.
    """
    return if_range is None or if_range.strip(" \t") == etag
