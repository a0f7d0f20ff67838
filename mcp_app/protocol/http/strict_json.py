"""Strict JSON: RFC 8259, without the constructs that parsers interpret differently.

Rejected, each with its reason: duplicate names (4: "the behavior of software that receives such an object is
unpredictable"), NaN and Infinity (6), numbers outside of binary64 and integers of excessive length, lone surrogates
(8.2), and nesting deeper than any tool's parameters. No schema is known here.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn

from ..errors import InvalidRequest

MAX_DEPTH = 64
"""Levels of arrays and objects. Parsers and validators recurse: a thousand levels would exceed Python's recursion limit
in one of them. jackson allows 1,000, .NET 64."""

MAX_INT_CHARACTERS = 310
"""Characters of an integer: the digits of the largest binary64 and a sign. int() is quadratic in their number."""


class _Rejected(ValueError):
    """A value that the grammar of JSON allows and this module rejects."""


def loads(body: bytes, what: str = "The body") -> Any:
    """Decode `body`; `what` is its name in error messages.

    Raises InvalidRequest; the message names the problem and its position.
    """
    if not body or body.isspace():
        raise InvalidRequest(f"{what} is empty.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what} is not UTF-8: byte {error.start} is invalid (RFC 8259, 8.1).") from None
    _check_depth(text, what)
    try:
        value = _DECODER.decode(text)
    except _Rejected as error:
        raise InvalidRequest(str(error)) from None
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise InvalidRequest(f"{what} is not JSON: it begins with a BOM (RFC 8259, 8.1).") from None
        raise InvalidRequest(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    if "\\u" in text:  # only an escape can produce a lone surrogate: the UTF-8 decoder rejects the others
        _reject_lone_surrogates(value)
    return value


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Rejected(f"The name {_quoted(name)} stands twice in one object.")
            seen.add(name)
    return value


def _reject_constant(name: str) -> NoReturn:
    raise _Rejected(f"{name} is not JSON: send null, or a string.")


def _finite_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Rejected(f"The number {text[:20]} is out of range: it must fit a binary64.")
    return value


def _bounded_int(text: str) -> int:
    try:
        if len(text) <= MAX_INT_CHARACTERS and math.isfinite(value := int(text)):
            return value
    except OverflowError:
        pass  # more than the largest binary64
    raise _Rejected(f"The integer {text[:20]}… is out of range: send it as a string.")


def _reject_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequest(
            "A string holds half of a surrogate pair, which no UTF-8 can carry (RFC 8259, 8.2)."
        ) from None


_DECODER = json.JSONDecoder(  # shared: `json.loads` creates one per call when hooks are passed
    object_pairs_hook=_object_of_unique_names,
    parse_constant=_reject_constant,
    parse_float=_finite_float,
    parse_int=_bounded_int,
)


def _check_depth(text: str, what: str) -> None:
    """Check the depth before parsing, outside of strings: the parser itself would exceed Python's recursion limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    steps = map(_STEPS.__getitem__, _NOT_BRACKETS.sub("", _STRING.sub("", text)))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise InvalidRequest(f"{what} nests deeper than {MAX_DEPTH} levels.")


# The closing quote is optional: an unterminated string is consumed in one match. If the quote were required, the search
# would restart at each quote within it, and a body of escaped quotes would take hours.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def _quoted(name: str) -> str:
    return json.dumps(name[:80])
