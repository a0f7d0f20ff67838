"""One session of MCP 2025-11-25 and older: what its client can be asked for, what it subscribed to, what it waits for.

How many sessions there are, and for how long, is register.py's. No method and no HTTP is known here.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ....asking import UrlReferrals
from ....protocol.errors import Cancelled, InvalidRequest, Overloaded
from ....protocol.event import encode
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Id
from ....protocol.mcp.revisions import SessionRevision, negotiated
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import Policy
from ....runs import Run
from .outbox import Outbox

MAX_SUBSCRIPTIONS = 1000
"""Resources that one session is told of: a list that a client can make as long as it likes is kept for as long."""

MAX_BATCHES = 64
"""Streams of batches that can be come back to in one session: a name and a hundred ids each."""

DEFAULT_LEVEL = "info"
"""Of log messages, until a client says otherwise: "the server MAY decide which messages to send automatically"
(2025-11-25, Logging)."""


class Working(NamedTuple):
    """A request that became a run."""

    run: Run
    transcript: Transcript


@dataclass(eq=False, slots=True)
class Session:
    """One client's session. `policy` is that of its requests; None until `initialize` for the 2024-11-05 transport."""

    principal: str
    outbox: Outbox
    revision: SessionRevision = field(default_factory=lambda: negotiated(None))
    policy: Policy | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    capabilities: dict[str, Any] | None = None
    """What its client can be asked for; None until `initialize`."""
    initialized: bool = False
    level: str = DEFAULT_LEVEL
    subscribed: dict[str, dict[str, None]] = field(default_factory=dict)
    """The resources it is told of: the URIs by their normal form, each as the client wrote it."""
    referrals: UrlReferrals = field(default_factory=lambda: UrlReferrals(asyncio.get_running_loop().time))
    """What its calls without a stream have asked for."""
    ended: bool = False
    touched: float = 0.0
    streams: int = 0
    """Responses being sent to it now."""
    batches: OrderedDict[str, Sequence[str]] = field(default_factory=OrderedDict)
    """The streams of batches, each with the runs of its calls."""
    relays: set[asyncio.Task[None]] = field(default_factory=set)
    """What brings its requests' messages to its own stream (2024-11-05)."""
    # What the register of runs forgets, a session forgets with it.
    _transcripts: weakref.WeakKeyDictionary[Run, Transcript] = field(default_factory=weakref.WeakKeyDictionary)
    _runs: weakref.WeakValueDictionary[str, Run] = field(default_factory=weakref.WeakValueDictionary)
    _by_request: weakref.WeakValueDictionary[Id, Run] = field(default_factory=weakref.WeakValueDictionary)
    _claimed: dict[Id, bool] = field(default_factory=dict)
    _asked: dict[Id, asyncio.Future[jsonrpc.RpcResponse]] = field(default_factory=dict)

    # --- its requests ------------------------------------------------------------------------------------------------

    @contextmanager
    def claim(self, request: Id) -> Iterator[None]:
        """A request of that id is being begun. Raises InvalidRequest while another of that id is worked on: "the
        request ID MUST NOT have been previously used by the requestor within the same session" (Requests). One that
        has been answered is not held against clients that count from 1 again.
        """
        before = self._by_request.get(request)
        if request in self._claimed or (before is not None and not before.ended):
            raise InvalidRequest(
                "A request of this id is still being worked on in this session.",
                hint="Give each request an id of its own; notifications/cancelled ends the one before.",
            )
        self._claimed[request] = False
        try:
            yield
        finally:
            del self._claimed[request]

    def begin(self, request: Id, working: Working) -> None:
        """A request is being worked on: it can be cancelled by its id, and its stream be come back to by the run's."""
        self._by_request[request] = working.run
        if self._claimed.get(request):
            self.cancel(request)
        self._runs[working.run.id] = working.run
        self._transcripts[working.run] = working.transcript

    def keep_batch(self, runs: Sequence[str]) -> str:
        """A name for the stream of these runs, by which it is come back to."""
        name = secrets.token_hex(16)
        self.batches[name] = runs
        if len(self.batches) > MAX_BATCHES:
            self.batches.popitem(last=False)
        return name

    def working(self, run: str) -> Working | None:
        """The request whose run that is, ended or not; None for one of another session, or that was forgotten."""
        found = self._runs.get(run)
        return None if found is None else Working(found, self._transcripts[found])

    @property
    def busy(self) -> bool:
        """Whether it is being answered, or worked for."""
        return self.streams > 0 or self.worked_for

    @property
    def worked_for(self) -> bool:
        """Whether something is still to be said to it."""
        return bool(self.relays) or any(not each.over for each in self._runs.values())

    def cancel(self, request: Id) -> None:
        """notifications/cancelled; of an unknown request, or one that has ended, "MAY be ignored"."""
        run = self._by_request.get(request)
        if request in self._claimed:  # it is being begun
            self._claimed[request] = True
        if run is not None:
            run.stop(Cancelled("The client cancelled the request."))

    # --- what the server says of itself ------------------------------------------------------------------------------

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """A notification that belongs to no request."""
        self.outbox.send(jsonrpc.notification(method, None if params is None else encode(params)))

    def completed(self, elicitation: str) -> None:
        """What a call sent its user to is done, and the call is not there any more."""
        self.notify("notifications/elicitation/complete", {"elicitationId": elicitation})

    # --- what it asks ------------------------------------------------------------------------------------------------

    def subscribe(self, uri: str, normal: str) -> None:
        """Raises Overloaded for one too many."""
        spelt = self.subscribed.get(normal, {})
        if uri in spelt:
            return
        if sum(map(len, self.subscribed.values())) >= MAX_SUBSCRIPTIONS:
            raise Overloaded(f"A session is told of at most {MAX_SUBSCRIPTIONS} resources.")
        self.subscribed[normal] = {**spelt, uri: None}

    def unsubscribe(self, uri: str, normal: str) -> None:
        """Of what it is not subscribed to, this does nothing."""
        spelt = self.subscribed.get(normal, {})
        spelt.pop(uri, None)
        if not spelt:
            self.subscribed.pop(normal, None)

    def expect(self) -> tuple[Id, asyncio.Future[jsonrpc.RpcResponse]]:
        """An id for a request of ours, and what its response will be. Ended with the session, the future is cancelled.

        Whoever gives up waiting cancels the future.
        """
        request = secrets.token_hex(8)
        answer: asyncio.Future[jsonrpc.RpcResponse] = asyncio.get_running_loop().create_future()
        self._asked[request] = answer
        answer.add_done_callback(lambda _: self._asked.pop(request, None))
        return request, answer

    def answered(self, response: jsonrpc.RpcResponse) -> bool:
        """A response came in; whether anybody waited for it."""
        answer = None if response.id is None else self._asked.get(response.id)
        if answer is None or answer.done():
            return False
        answer.set_result(response)
        return True

    def end(self, *, stop_runs: bool) -> None:
        """Nothing belongs to it any more."""
        self.ended = True
        self.outbox.close()
        for answer in list(self._asked.values()):
            answer.cancel()
        if stop_runs:
            for run in list(self._runs.values()):
                run.stop(Cancelled("The client's session has ended."))
