"""The numbers of a progress event, as its metadata: those that every parser of JSON can represent.

No event is made or sent here.
"""

from __future__ import annotations

import math
from typing import Any

from ..protocol.event import encode, number

_EXACT = 2**53
"""From here on a binary64 cannot represent every integer exactly (RFC 8259, 6)."""


def numbers_of(progress: float | None, total: float | None, *, content: bool = False) -> bytes:
    """The metadata of an event with these numbers, and of `content` blocks. Raises ValueError for one not finite."""
    if type(progress) is int and type(total) is int and not content and abs(progress) < _EXACT and abs(total) < _EXACT:
        # The fast path, which nearly all calls take.
        return b'{"progress":%d,"total":%d}' % (progress, total)
    numbers = {"progress": progress, "total": total}
    metadata: dict[str, Any] = {name: _number(name, value) for name, value in numbers.items() if value is not None}
    return encode({**metadata, "content": True} if content else metadata)


def _number(name: str, value: Any) -> float | int:
    """A JSON number that every parser can represent: a binary64. Accepts whatever float() does: Decimal, numpy's."""
    try:
        converted = math.nan if isinstance(value, str | bytes | bytearray) else float(value)  # which reads "5", too
    except (TypeError, ValueError, OverflowError):
        converted = math.nan
    if not math.isfinite(converted):
        raise ValueError(f"{name} is {str(value)[:40]}, not a finite number")
    return number(converted)
