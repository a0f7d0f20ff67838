"""Run keys: a caller's own names for its runs, so that a start which is repeated starts nothing.

What was chosen as `run=` and as Idempotency-Key are names of one kind. Which runs there are, and how long they are
kept, is not known here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from pydantic_core import to_json

from ..protocol.asking import UrlRequired
from ..protocol.errors import RunConflict
from .callee import Callee


class _Keyed(NamedTuple):
    digest: bytes
    run_id: str


class RunKeys:
    """Each principal has keys of its own."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], _Keyed] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def lock(self, principal: str, key: str) -> asyncio.Lock:
        """To hold while a run of the key is looked for and, if there is none, started: two requests with one key start
        one run."""
        return self._locks.setdefault((principal, key), asyncio.Lock())

    def remember(self, principal: str, key: str, digest: bytes, run_id: str) -> None:
        """From now on the key finds this run; `digest` is that of its call."""
        self._runs[principal, key] = _Keyed(digest, run_id)
        self._keys[run_id] = (principal, key)

    def find(self, principal: str, key: str, digest: bytes | None) -> str | None:
        """The id of the run that was started with the key, None if there is none; without a digest, whatever it calls.
        Raises RunConflict if it calls something else, or with other parameters."""
        known = self._runs.get((principal, key))
        if known is None:
            return None
        check_digest(known.digest, digest)
        return known.run_id

    def forget(self, run_id: str) -> None:
        """The run is not kept any more. Does nothing for one without a key."""
        key = self._keys.pop(run_id, None)
        if key is not None and self._runs[key].run_id == run_id:
            del self._runs[key]


def frees_its_key(code: str | None) -> bool:
    """Whether a run that has ended so is no result of its call: its caller is to make the same call again."""
    return code == UrlRequired.code


def check_digest(known: bytes, digest: bytes | None) -> None:
    """Raises RunConflict if the call of this digest, if any, is not the one that is known."""
    if digest is not None and known != digest:
        raise RunConflict("This run key belongs to a call of another tool or with other parameters.")


def call_digest(callee: Callee, arguments: Mapping[str, Any]) -> bytes:
    """What makes two calls the same: callee and parameters, as a digest, since parameters can be large."""
    # Arguments may be what JSON cannot carry: bytes decoded from base64, NaN.
    call = to_json([callee.name, arguments], bytes_mode="base64", inf_nan_mode="strings", fallback=repr)
    return hashlib.sha256(call).digest()
