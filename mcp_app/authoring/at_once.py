"""`@tool(at_once=…, per=…, waiting=…)`: how many calls of a tool work at once, and how many may wait.

Policy as data: nobody waits here, and nothing is counted (runs/queues.py does both).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import to_json

from ..protocol.errors import ToolDefinitionError
from .kind import FailedArguments
from .signature import Signature

WAITING = 100
"""Calls that wait in one queue if the author says nothing: enough for a burst; further callers learn at once that they
had better come later, before each of them has held a stream until its cap."""


_WRITTEN_ONE_WAY = frozenset({str, int, bool, type(None)})
"""Most values: JSON has one text for each."""

_DIGEST_BYTES = 32
"""Of SHA-256, and all that is kept of a value: one may be as large as the call's parameters, which are counted once."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """`calls` of one queue work at once, `waiting` more may wait for them. With `per` each value of that parameter has
    a queue of its own; `argument` is the function's parameter that holds it, or the model that does."""

    calls: int
    waiting: int = WAITING
    per: str | None = None
    argument: str = ""
    attribute: str | None = None
    """The field of the model in `argument`; None where `argument` is the value itself."""

    def queue(self, arguments: Mapping[str, Any]) -> bytes:
        """Which of the tool's queues a call with these arguments belongs to: equal values have one."""
        if self.per is None or type(arguments) is FailedArguments:  # which work on nothing
            return b""
        value = arguments[self.argument]
        if self.attribute is not None:
            value = getattr(value, self.attribute)
        written = _written(value if type(value) in _WRITTEN_ONE_WAY else _in_order(value))
        return written if len(written) <= _DIGEST_BYTES else sha256(written).digest()


def at_once_of(
    name: str,
    at_once: int | None,
    per: str | None,
    waiting: int | None,
    signature: Signature,
) -> AtOnce | None:
    """The options of the tool `name`; None where calls are not limited. Raises ToolDefinitionError."""
    if at_once is None:
        for option, value in (("per", per), ("waiting", waiting)):
            if value is not None:
                raise ToolDefinitionError(f"{name}: {option} says how calls wait for each other: give at_once, too.")
        return None
    if not _is_count(at_once, 1):
        raise ToolDefinitionError(f"{name}: at_once is {at_once!r}, not a number of calls, 1 or more.")
    if waiting is not None and not _is_count(waiting, 0):
        raise ToolDefinitionError(f"{name}: waiting is {waiting!r}, not a number of calls, 0 or more.")
    waiting = WAITING if waiting is None else waiting
    if per is None:
        return AtOnce(at_once, waiting)
    known = signature.by_name
    if not isinstance(per, str) or per not in known:
        raise ToolDefinitionError(f"{name}: per is {per!r}, which is none of its parameters.{_meant(per, known)}")
    return AtOnce(at_once, waiting, per, *known[per])


def _in_order(value: Any) -> Any:
    """The value, so that equal ones are written alike: objects by their names, sets by their members, 1.0 as 1. Secrets
    are not written as asterisks, which would be the same for all."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return _in_order(value.get_secret_value())
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    match value:
        case Mapping():
            return dict(sorted((str(name), _in_order(each)) for name, each in value.items()))
        case set() | frozenset():
            return sorted(_written(_in_order(each)) for each in value)
        case list() | tuple():
            return [_in_order(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _written(value: Any) -> bytes:
    # Arguments may be what JSON cannot carry.
    return to_json(value, bytes_mode="base64", inf_nan_mode="strings", fallback=repr)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _meant(per: Any, known: Collection[str]) -> str:
    similar = get_close_matches(str(per), known, n=1)
    return f" Did you mean {similar[0]}?" if similar else f" There are {', '.join(known)}." if known else ""
