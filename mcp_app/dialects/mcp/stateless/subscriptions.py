"""`subscriptions/listen`: a stream of change notifications, until its client disconnects (2026-07-28, Subscriptions).

A subscription has no run and no event log, as it cannot be resumed. Pending notifications of the same subject are
merged: a notification only means that something should be read again, or has the state of a task at the time of
sending. So the memory for a slow client is bounded by the size of its subscription. How tasks run is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ....config.settings import Settings
from ....eventlog import READ_BYTES
from ....middleware.heartbeat import Heartbeat
from ....middleware.time_cap import CappedBatches
from ....protocol.access import Access
from ....protocol.errors import Draining, NotAcceptable, Overloaded
from ....protocol.event import Entry, Event, EventType, encode
from ....protocol.http.accept import Representation, quality
from ....protocol.http.uri_template import normal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Id, RpcRequest
from ....protocol.policy import MCP_2026_07_28_LISTEN
from ....protocol.stream import Stream
from ....runs.at_work import RETRY_AFTER
from ....web.charging import take_place
from ....web.frames import Frames
from ....web.messages import STREAM_HEADERS, Answer, Request
from ....web.metrics import Metrics
from ..changes import Needed
from ..rendering import MessageRendering

SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
"""The member of `_meta` in every message of a subscription: the id of the request that opened it."""

MAX_SUBSCRIPTIONS = 10_000
"""Subscriptions that are open at once in one process: each is a stream that may be idle until the cap, like a run's."""

MAX_URIS = 1000
"""Resources of one subscription. Those above the limit are not in the acknowledgement, which tells the client."""

MAX_TASKS = 1000
"""Tasks of one subscription, likewise."""

MAX_URI_BYTES = 64 * 1024 * 1024
"""Characters of the URIs and task ids of all subscriptions: without this limit, each could keep most of a request's
body."""

TaskState = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""The current state of the task with that id, as in the result of tasks/get; None for a task that is not known."""

_TASK = "task "
_LISTS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}


class Filter(NamedTuple):
    """The subjects of a subscription: kinds of lists, resources (normalised URI -> the client's spelling), tasks."""

    lists: frozenset[str]
    uris: Mapping[str, str]
    tasks: tuple[str, ...] = ()

    @classmethod
    def honoured(cls, requested: Mapping[str, Any], tasks: Sequence[str] = ()) -> Filter:
        """The requested subjects without invalid URIs, and up to the limits. `tasks` are the requested tasks that are
        visible to the client."""
        uris = {normalised: uri for uri in requested.get("resourceSubscriptions") or () if (normalised := normal(uri))}
        return cls(
            frozenset(kind for kind, name in _LISTS.items() if requested.get(name) is True),
            dict(list(uris.items())[:MAX_URIS]),
            tuple(tasks[:MAX_TASKS]),
        )

    @property
    def size(self) -> int:
        """The number of characters that it keeps."""
        return sum(len(normalised) + len(uri) for normalised, uri in self.uris.items()) + sum(map(len, self.tasks))

    def wire(self) -> dict[str, Any]:
        """As in the acknowledgement, which omits what is not subscribed to."""
        honoured: dict[str, Any] = {name: True for kind, name in _LISTS.items() if kind in self.lists}
        if self.uris:
            honoured["resourceSubscriptions"] = list(self.uris.values())
        if self.tasks:
            honoured["taskIds"] = list(self.tasks)
        return honoured


class Subscription:
    """One stream: the acknowledgement, then notifications of changes, and the empty result at the end.

    The state of each task is sent at the start and at each change, so that no change is missed between the task's
    creation and the subscription, or between two subscriptions.
    """

    def __init__(
        self,
        id: Id,  # noqa: A002 - the wire's name
        honoured: Filter,
        access: Access,
        meta: Mapping[str, Any],
        state: TaskState | None,
        on_close: Callable[[Subscription], None],
    ) -> None:
        self.id = id
        self.honoured = honoured
        self._access = access
        self._state = state
        self._on_close = on_close
        self._meta = {**meta, SUBSCRIPTION_ID: id}
        self._pending: dict[str, bytes | None] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._ending = False
        self._ended = False
        self._number = 0
        self._size = 0
        self._notify("acknowledged", "notifications/subscriptions/acknowledged", {"notifications": honoured.wire()})
        for each in honoured.tasks:
            self.task_changed(each)

    # --- notifications -----------------------------------------------------------------------------------------------

    def list_changed(self, kind: str, needed: Needed) -> None:
        if kind in self.honoured.lists and any(map(self._access.sees, needed)):
            self._notify(kind, f"notifications/{kind}/list_changed", {})

    def resource_updated(self, uri: str, needed: Needed) -> None:
        if uri in self.honoured.uris and any(map(self._access.may, needed)):
            self._notify(uri, "notifications/resources/updated", {"uri": self.honoured.uris[uri]})

    def task_changed(self, task: str) -> None:
        """The notification is rendered when it is sent: a result may be large, and the client slow."""
        self._enqueue(_TASK + task, None)

    def end(self) -> None:
        """Send the pending notifications, then the result ("Graceful Closure")."""
        self._ending = True
        self._wake()

    def _notify(self, key: str, method: str, params: Mapping[str, Any]) -> None:
        self._enqueue(key, self._notification(method, params))

    def _enqueue(self, key: str, message: bytes | None) -> None:
        if not self._ending:
            self._pending[key] = message
            self._wake()

    def _notification(self, method: str, params: Mapping[str, Any]) -> bytes:
        return jsonrpc.notification(method, encode({"_meta": {SUBSCRIPTION_ID: self.id}, **params}))

    async def _task(self, task: str) -> bytes | None:
        state = None if self._state is None else await self._state(task)
        return None if state is None else self._notification("notifications/tasks", state)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- as batches --------------------------------------------------------------------------------------------------

    async def next(self, until: float) -> list[Entry] | None:
        if self._ended:
            return None
        if not self._pending and not self._ending:
            await self._wait(until)
        batch = [self._entry(EventType.LOG, message) async for message in self._dequeue()]
        if self._ending and not self._pending and not self._ended:
            self._ended = True
            result = {"resultType": "complete", "_meta": self._meta}
            batch.append(self._entry(EventType.COMPLETE, jsonrpc.result(self.id, encode(result))))
        return batch

    async def _dequeue(self) -> AsyncIterator[bytes]:
        """Pending messages, up to the size of one write."""
        size = 0
        while self._pending and size < READ_BYTES:
            message = self._pending.pop(key := next(iter(self._pending)))
            if message is None:
                message = await self._task(key.removeprefix(_TASK))
            if message is not None:
                size += len(message)
                yield message

    def close(self) -> None:
        """Called when the client has left or the stream has ended. Idempotent."""
        self._ended = True
        self._pending.clear()
        self._wake()
        self._on_close(self)

    def _entry(self, kind: EventType, message: bytes) -> Entry:
        self._number += 1
        self._size += len(message)
        return Entry(self._number, Event(kind, message), self._size)

    async def _wait(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if until == math.inf else loop.call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


class Subscriptions:
    """All open subscriptions of this process. Must be created on the event loop."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._open: set[Subscription] = set()
        self._of_task: dict[str, set[Subscription]] = {}
        self._uri_bytes = 0
        self._refusing = False

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        request: Request,
        message: RpcRequest,
        meta: Mapping[str, Any],
        tasks: Sequence[str] = (),
        state: TaskState | None = None,
    ) -> Subscription:
        """Open the subscription that a request asks for; whoever sends its messages must close it. `meta` are members
        of the result's `_meta`, `tasks` the requested tasks that are visible to the client.

        Raises NotAcceptable if the client does not accept event streams, Overloaded, and Draining.
        """
        if not quality(request.headers.get("accept"), Representation.EVENT_STREAM.value).q:
            raise NotAcceptable("Accept does not take text/event-stream, which is all that a subscription can be.")
        if self._refusing:
            raise Draining("The server is being stopped and takes no new subscription.", headers=RETRY_AFTER)
        take_place(request)
        honoured = Filter.honoured(message.params["notifications"], tasks)
        if len(self._open) >= MAX_SUBSCRIPTIONS or self._uri_bytes + honoured.size > MAX_URI_BYTES:
            raise Overloaded("As many subscriptions as this server takes are open.", headers=RETRY_AFTER)
        subscription = Subscription(message.id, honoured, request.access, meta, state, self._closed)
        self._open.add(subscription)
        self._uri_bytes += honoured.size
        for each in honoured.tasks:
            self._of_task.setdefault(each, set()).add(subscription)
        self._metrics.streams.add()
        return subscription

    def _closed(self, subscription: Subscription) -> None:
        if subscription not in self._open:
            return
        self._open.discard(subscription)
        for each in subscription.honoured.tasks:
            self._of_task[each].discard(subscription)
            if not self._of_task[each]:
                del self._of_task[each]
        self._uri_bytes -= subscription.honoured.size
        self._metrics.streams.ended.add()

    def answer(self, subscription: Subscription) -> Answer:
        """The stream of the subscription, as the body of an answer over HTTP."""
        stream = Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=self._settings.cap_seconds)
        capped = CappedBatches(subscription, stream, self._clock, MCP_2026_07_28_LISTEN.on_cap, subscription.end)
        batches = Heartbeat(capped, stream, self._clock, self._metrics.heartbeats.add)
        name = f"subscription {subscription.id}"
        frames = Frames(batches, stream, self._clock, run=name, rendering=MessageRendering(id=subscription.id))
        return Answer(200, STREAM_HEADERS, frames)

    def list_changed(self, kind: str, needed: Needed) -> None:
        for each in self._open:
            each.list_changed(kind, needed)

    def resource_updated(self, uri: str, needed: Needed) -> None:
        for each in self._open:
            each.resource_updated(uri, needed)

    def task_changed(self, task: str) -> None:
        for each in self._of_task.get(task, ()):
            each.task_changed(task)

    def refuse(self) -> None:
        """Called when the server shuts down: accept no new subscription."""
        self._refusing = True

    def end(self) -> None:
        """End every subscription with its result, and accept no new one."""
        self._refusing = True
        for each in self._open:
            each.end()
