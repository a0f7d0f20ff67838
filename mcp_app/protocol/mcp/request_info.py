"""The parameters of one request that determine how its messages are rendered. Fixed once the request is validated.

The state of the request's run is in transcript.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .jsonrpc import Id
from .revisions import Structure, Wire

_NO_META: Mapping[str, Any] = MappingProxyType({})


class RequestInfo(NamedTuple):
    """One request, as far as its messages depend on it.

    `progress_token` and `level` are None when the client did not request progress or log messages. `namespace` is the
    prefix of our own `_meta` keys, including the slash.
    """

    id: Id
    wire: Wire
    namespace: str
    progress_token: str | int | None = None
    level: str | None = None
    counted: bool = False
    """Whether the function has no `Context`: it cannot report numbers, so that its notifications are counted."""
    structure: Structure = Structure.ABSENT
    raw: Mapping[str, Any] | None = None
    """None for tools. For prompts and resources, whose run's data is the result itself: the members to add to it."""
    meta: Mapping[str, Any] = _NO_META
    """Members of the `_meta` of every result."""
    seal: Callable[[Any], str] | None = None
    """Makes the `requestState` from the state of an unfinished call; None where calls are not retried (sessions)."""
    session: str | None = None
    """The session that it belongs to, which alone may go on with its stream; None without sessions."""

    open_asks: Callable[[Id], bool] | None = None
    """Of a request that repeats an earlier one, and reads that one's run: whether the client has yet to answer our
    request with that id. The others were sent before, and are not sent again. None for any other request."""

    @property
    def repeats(self) -> bool:
        """Whether it reads the run of an earlier request: the ids of events are those of that one's stream."""
        return self.open_asks is not None

    @property
    def listens(self) -> bool:
        """Whether the client asked for messages besides the response: progress, or log messages."""
        return self.progress_token is not None or self.level is not None

    def typed(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result with its `resultType`, where the revision has one, and the members of every `_meta`."""
        if self.meta:
            result = {**result, "_meta": {**self.meta, **result.get("_meta", {})}}
        return {"resultType": "complete", **result} if self.wire.result_type else result
