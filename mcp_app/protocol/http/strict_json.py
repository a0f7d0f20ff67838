"""JSON as this server takes it: RFC 8259, and none of the readings on which two parsers would disagree.

Refused, each with its reason: duplicate names (4: "the behavior of software that receives such an object is
unpredictable"), NaN and Infinity (6), numbers outside of binary64 and integers of absurd length, lone surrogates (8.2),
and nesting deeper than any tool's parameters. No schema is known here.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn

from ..errors import InvalidRequest

MAX_DEPTH = 64
"""Levels of arrays and objects. Parsers and validators recurse: a thousand levels would meet Python's own limit inside
one of them. jackson takes 1,000, .NET 64."""

MAX_INT_CHARACTERS = 310
"""Of an integer: as many digits as the largest binary64 has, and a sign; int() is quadratic in them."""


class _Refused(ValueError):
    """A value that is JSON by its grammar and is refused all the same."""


def loads(body: bytes, what: str = "The body") -> Any:
    """The value that `body` encodes; `what` is its name in messages.

    Raises InvalidRequest: the message says what is wrong and where.
    """
    if not body or body.isspace():
        raise InvalidRequest(f"{what} is empty.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what} is not UTF-8: byte {error.start} is invalid (RFC 8259, 8.1).") from None
    _bound_depth(text, what)
    try:
        value = _DECODER.decode(text)
    except _Refused as error:
        raise InvalidRequest(str(error)) from None
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise InvalidRequest(f"{what} is not JSON: it begins with a BOM (RFC 8259, 8.1).") from None
        raise InvalidRequest(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    if "\\u" in text:  # only an escape can bring in half of a surrogate pair: the decoder above refused the rest
        _no_lone_surrogate(value)
    return value


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Refused(f"The name {_shown(name)} stands twice in one object.")
            seen.add(name)
    return value


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON: send null, or a string.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Refused(f"The number {text[:20]} is out of range: it must fit a binary64.")
    return value


def _bounded_int(text: str) -> int:
    try:
        if len(text) <= MAX_INT_CHARACTERS and math.isfinite(value := int(text)):
            return value
    except OverflowError:
        pass  # more than the largest binary64
    raise _Refused(f"The integer {text[:20]}… is out of range: send it as a string.")


def _no_lone_surrogate(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequest(
            "A string holds half of a surrogate pair, which no UTF-8 can carry (RFC 8259, 8.2)."
        ) from None


_DECODER = json.JSONDecoder(  # made once: `json.loads` makes one for each call that has a hook
    object_pairs_hook=_object_of_unique_names,
    parse_constant=_no_constant,
    parse_float=_finite,
    parse_int=_bounded_int,
)


def _bound_depth(text: str, what: str) -> None:
    """Counted before parsing, outside of strings: the parser itself would run into Python's recursion limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    steps = map(_STEPS.__getitem__, _NOT_BRACKETS.sub("", _STRING.sub("", text)))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise InvalidRequest(f"{what} nests deeper than {MAX_DEPTH} levels.")


# The closing quote is optional: a string without its end is taken in one match. If it had to be there, the search would
# start anew at each of the quotes within, and a body of escaped quotes would take hours.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def _shown(name: str) -> str:
    return json.dumps(name[:80])
