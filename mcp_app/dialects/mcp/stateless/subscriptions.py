"""`subscriptions/listen`: a stream of what changes, for as long as its client listens (2026-07-28, Subscriptions).

Nothing runs for a subscription and nothing is logged, as nobody can come back to one. Notifications of the same thing
that were not sent yet are one: they say that there is something to be read again, or how a task stands when they are
sent, and so a client that is slow costs what it asked for and not more. What a task is, is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ....config.settings import Settings
from ....eventlog import READ_BYTES
from ....middleware.heartbeat import Heartbeat
from ....middleware.time_cap import CappedBatches
from ....protocol.errors import Draining, NotAcceptable, Overloaded
from ....protocol.event import Entry, Event, EventType, encode
from ....protocol.http.accept import Representation, quality
from ....protocol.http.uri_template import normal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Id, RpcRequest
from ....protocol.policy import MCP_2026_07_28_LISTEN
from ....protocol.stream import Stream
from ....runs.register import RETRY_AFTER
from ....web.frames import Frames
from ....web.messages import STREAM_HEADERS, Answer, Request
from ....web.metrics import Metrics
from ..rendering import MessageRendering

SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
"""The member of `_meta` that is in every message of a subscription: the id of the request that opened it."""

MAX_SUBSCRIPTIONS = 10_000
"""Open at once in one process: each is a stream that may be silent for as long as the cap lets it, like a run's."""

MAX_URIS = 1000
"""Resources that one subscription is told of. What is beyond is not acknowledged, and so its client knows."""

MAX_TASKS = 1000
"""Tasks that one subscription is told of, likewise."""

MAX_URI_BYTES = 64 * 1024 * 1024
"""Characters of the URIs and task ids of all subscriptions: without it, each could keep most of a request's body."""

TaskState = Callable[[str], Mapping[str, Any] | None]
"""How the task of that id stands, as tasks/get would say now; None for one that is not known any more."""

_LISTS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}


class Filter(NamedTuple):
    """What is told: kinds of lists, resources by the normal form of their URI, as its client wrote it, and tasks."""

    lists: frozenset[str]
    uris: Mapping[str, str]
    tasks: tuple[str, ...] = ()

    @classmethod
    def honoured(cls, wanted: Mapping[str, Any], tasks: Sequence[str] = ()) -> Filter:
        """What this server agrees to, of what is wanted: all, but what is no URI and what is too much. `tasks` are
        those of the wanted ones that the client may know."""
        uris = {normalised: uri for uri in wanted.get("resourceSubscriptions") or () if (normalised := normal(uri))}
        return cls(
            frozenset(kind for kind, name in _LISTS.items() if wanted.get(name) is True),
            dict(list(uris.items())[:MAX_URIS]),
            tuple(tasks[:MAX_TASKS]),
        )

    @property
    def size(self) -> int:
        """Characters that are kept of it."""
        return sum(len(normalised) + len(uri) for normalised, uri in self.uris.items()) + sum(map(len, self.tasks))

    def wire(self) -> dict[str, Any]:
        """As it is acknowledged. Left out is what is not told."""
        honoured: dict[str, Any] = {name: True for kind, name in _LISTS.items() if kind in self.lists}
        if self.uris:
            honoured["resourceSubscriptions"] = list(self.uris.values())
        if self.tasks:
            honoured["taskIds"] = list(self.tasks)
        return honoured


class Subscription:
    """One stream: the acknowledgement first, then what changes, and at its end the empty result.

    Of a task its state comes first, and then again at each change: so nothing is missed that has happened between its
    creation and the listening, or between two subscriptions.
    """

    def __init__(self, id: Id, wanted: Filter, meta: Mapping[str, Any], state: TaskState) -> None:  # noqa: A002 - the wire's
        self.wanted = wanted
        self._state = state
        self._id = id
        self._meta = {**meta, SUBSCRIPTION_ID: id}
        self._pending: dict[str, Callable[[], bytes | None]] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._ending = False
        self._over = False
        self._number = 0
        self._size = 0
        self._say("acknowledged", "notifications/subscriptions/acknowledged", {"notifications": wanted.wire()})
        for each in wanted.tasks:
            self.task_changed(each)

    # --- what it is told ---------------------------------------------------------------------------------------------

    def list_changed(self, kind: str) -> None:
        if kind in self.wanted.lists:
            self._say(kind, f"notifications/{kind}/list_changed", {})

    def resource_updated(self, uri: str) -> None:
        if uri in self.wanted.uris:
            self._say(uri, "notifications/resources/updated", {"uri": self.wanted.uris[uri]})

    def task_changed(self, task: str) -> None:
        """Rendered when it is sent: a result may be large, and the reader slow."""
        self._soon(f"task {task}", partial(self._task, task))

    def end(self) -> None:
        """What is said already is sent, then the result ("Graceful Closure")."""
        self._ending = True
        self._wake()

    def _say(self, key: str, method: str, params: Mapping[str, Any]) -> None:
        message = self._notification(method, params)
        self._soon(key, lambda: message)

    def _soon(self, key: str, message: Callable[[], bytes | None]) -> None:
        if not self._ending:
            self._pending[key] = message
            self._wake()

    def _notification(self, method: str, params: Mapping[str, Any]) -> bytes:
        return jsonrpc.notification(method, encode({"_meta": {SUBSCRIPTION_ID: self._id}, **params}))

    def _task(self, task: str) -> bytes | None:
        state = self._state(task)
        return None if state is None else self._notification("notifications/tasks", state)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # --- as batches --------------------------------------------------------------------------------------------------

    async def next(self, until: float) -> list[Entry] | None:
        if self._over:
            return None
        if not self._pending and not self._ending:
            await self._woken(until)
        batch = [self._entry(EventType.LOG, message) for message in self._taken()]
        if self._ending and not self._pending and not self._over:
            self._over = True
            result = {"resultType": "complete", "_meta": self._meta}
            batch.append(self._entry(EventType.COMPLETE, jsonrpc.result(self._id, encode(result))))
        return batch

    def _taken(self) -> Iterator[bytes]:
        """What is to be said, until it is a write full."""
        size = 0
        while self._pending and size < READ_BYTES:
            message = self._pending.pop(next(iter(self._pending)))()
            if message is not None:
                size += len(message)
                yield message

    def close(self) -> None:
        """Its client left, or it has ended."""
        self._over = True
        self._pending.clear()
        self._wake()

    def _entry(self, kind: EventType, message: bytes) -> Entry:
        self._number += 1
        self._size += len(message)
        return Entry(self._number, Event(kind, message), self._size)

    async def _woken(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = None if until == math.inf else loop.call_at(until, self._wake)
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()


class Subscriptions:
    """All that are open in this process. Made on the loop."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._open: set[Subscription] = set()
        self._of_task: dict[str, set[Subscription]] = {}
        self._uri_bytes = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._open)

    def listen(
        self,
        request: Request,
        message: RpcRequest,
        meta: Mapping[str, Any],
        tasks: Sequence[str] = (),
        state: TaskState = lambda _: None,
    ) -> Answer:
        """The stream that answers the request; `meta` is for its result, `tasks` are those that its client may know.

        Raises NotAcceptable for whoever does not take event streams, Overloaded, and Draining.
        """
        if not quality(request.headers.get("accept"), Representation.EVENT_STREAM.value).q:
            raise NotAcceptable("Accept does not take text/event-stream, which is all that a subscription can be.")
        if self._ended:
            raise Draining("The server is being stopped and takes no new subscription.", headers=RETRY_AFTER)
        wanted = Filter.honoured(message.params["notifications"], tasks)
        if len(self._open) >= MAX_SUBSCRIPTIONS or self._uri_bytes + wanted.size > MAX_URI_BYTES:
            raise Overloaded("As many subscriptions as this server takes are open.", headers=RETRY_AFTER)
        subscription = Subscription(message.id, wanted, meta, state)
        self._open.add(subscription)
        self._uri_bytes += wanted.size
        for each in wanted.tasks:
            self._of_task.setdefault(each, set()).add(subscription)
        self._metrics.streams.add()

        def closed() -> None:
            self._open.discard(subscription)
            for each in wanted.tasks:
                self._of_task[each].discard(subscription)
                if not self._of_task[each]:
                    del self._of_task[each]
            self._uri_bytes -= wanted.size
            self._metrics.streams.ended.add()

        stream = Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=self._settings.cap_seconds)
        capped = CappedBatches(subscription, stream, self._clock, MCP_2026_07_28_LISTEN.on_cap, subscription.end)
        batches = Heartbeat(capped, stream, self._clock, self._metrics.heartbeats.add)
        name = f"subscription {message.id}"
        frames = Frames(
            batches, stream, self._clock, run=name, rendering=MessageRendering(id=message.id), on_close=closed
        )
        return Answer(200, STREAM_HEADERS, frames)

    def list_changed(self, kind: str) -> None:
        for each in self._open:
            each.list_changed(kind)

    def resource_updated(self, uri: str) -> None:
        for each in self._open:
            each.resource_updated(uri)

    def task_changed(self, task: str) -> None:
        for each in self._of_task.get(task, ()):
            each.task_changed(task)

    def refuse(self) -> None:
        """The server is being stopped: no subscription begins."""
        self._ended = True

    def end(self) -> None:
        """Every subscription ends with its result, and none begins."""
        self._ended = True
        for each in self._open:
            each.end()
