"""Idempotency keys: a caller's own names for its calls, so that one that is repeated is not worked on twice.

draft-ietf-httpapi-idempotency-key-header-07, 2.1: the field `Idempotency-Key` is an Item of Structured Fields whose
value is a String (RFC 9651, 3.3.3): `"8e03978e-40d5-43e8-bc93-6894a57f9324"`. Most clients leave the quotation marks
out: what can be nothing else is taken as well. Which runs have which key is not known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import InvalidRequest
from ..event import normalised
from ..policy import Policy

FIELD = "idempotency-key"

META_NAME = "idempotencyKey"
"""The member of `_meta` that has the key of a tools/call, below the prefix of our own keys."""

MIN_CHARACTERS = 16
"""Callers without credentials are one principal: a shorter key could be guessed, and another's result be read by it."""

MAX_CHARACTERS = 255
"""As many as the APIs take whose keys clients are written for. A key is kept with its run."""

_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'  # RFC 9651, 3.3.3
_PARAMETER = rf';[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:{_STRING}|[^\x00-\x20\x7f-\uffff",;]+))?'  # 3.1.2: ignored, as all are
_ITEM = re.compile(rf"({_STRING})(?:{_PARAMETER})*")
_BARE = re.compile(r"[A-Za-z0-9!#$%&'*+./:=@^_`|~-]+")
_ESCAPED = re.compile(r'\\(["\\])')
_TEXT = re.compile(r"[ -~]+")

_HINT = (
    f"Idempotency-Key is one random text for each call, such as a UUID, of {MIN_CHARACTERS} to {MAX_CHARACTERS} ASCII "
    'characters: Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324".'
)


class RepeatableCall(NamedTuple):
    """A call with its caller's key. `identity` is what a request with the same key must have alike."""

    key: str
    identity: Mapping[str, Any]


def repeatable(key: str, policy: Policy, params: Mapping[str, Any]) -> RepeatableCall:
    """A call with these parameters, made in the way of that row. The order of names, and the notation of numbers, mean
    nothing."""
    return RepeatableCall(key, {"policy": policy.name, "params": json.dumps(normalised(params), sort_keys=True)})


def parse_field(value: str) -> str:
    """The key in the value of the header field. Raises InvalidRequest."""
    value = value.strip(" \t")
    if (item := _ITEM.fullmatch(value)) is not None:
        return check_key(_ESCAPED.sub(r"\1", item[1][1:-1]), "Idempotency-Key")
    if _BARE.fullmatch(value):
        return check_key(value, "Idempotency-Key")
    raise InvalidRequest("Idempotency-Key is not one key, in quotation marks or without any.", hint=_HINT)


def check_key(key: object, where: str) -> str:
    """The value if it is a key. Raises InvalidRequest, which names the place."""
    if not isinstance(key, str) or not _TEXT.fullmatch(key):
        raise InvalidRequest(f"{where} is not a text of printable ASCII.", hint=_HINT)
    if not MIN_CHARACTERS <= len(key) <= MAX_CHARACTERS:
        raise InvalidRequest(
            f"{where} has {len(key)} characters; it may have {MIN_CHARACTERS} to {MAX_CHARACTERS}.", hint=_HINT
        )
    return key
