"""One session of MCP 2025-11-25 and older, as far as it is live in this process: pending requests both ways, outbox.

What its client has said is in session_record.py, the number of sessions and their idle timeout in register.py. No
method and no HTTP is known here.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ....asking import Referrals, UrlReferrals
from ....protocol.errors import Cancelled, InvalidRequest
from ....protocol.event import encode
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Id
from ....protocol.mcp.transcript import Transcript
from ....runs import FoundRun, Run
from .outbox import Outbox
from .session_record import SessionRecord

if TYPE_CHECKING:
    from .shared_sessions import SharedSessions

MAX_BATCHES = 64
"""Streams of batches that can be resumed in one session: each is a name and up to a hundred ids."""


class StartedRun(NamedTuple):
    """A request that has started a run."""

    run: Run
    transcript: Transcript


class RequestRun(NamedTuple):
    """A request whose run was found, wherever it is worked on."""

    run: FoundRun
    transcript: Transcript


AnyRun = StartedRun | RequestRun


@dataclass(eq=False, slots=True)
class Session:
    """One client's session. Its record is changed by `change` alone."""

    record: SessionRecord
    outbox: Outbox
    id: str
    referrals: Referrals = field(default_factory=lambda: UrlReferrals(asyncio.get_running_loop().time))
    """The state of calls without a stream that ended with URLs to open."""
    ended: bool = False
    touched: float = 0.0
    """The time of last use, on the loop's clock."""
    streams: int = 0
    """The number of open responses with the session's own stream."""
    batches: OrderedDict[str, Sequence[str]] = field(default_factory=OrderedDict)
    """The streams of batches by name, each with the ids of its runs."""
    relays: set[asyncio.Task[None]] = field(default_factory=set)
    """The tasks that send the messages of requests on the session's own stream (2024-11-05)."""
    # Where several processes share a log:
    shared: SharedSessions | None = None
    version: int = 0
    """Of the document that the record is from."""
    written: float = 0.0
    """When this process last put off the session's end, on the loop's clock."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """While the outbox goes from one process to another."""
    # Weak: a run that the register of runs forgets is forgotten here, too.
    _transcripts: weakref.WeakKeyDictionary[FoundRun, Transcript] = field(default_factory=weakref.WeakKeyDictionary)
    _runs: weakref.WeakValueDictionary[str, Run] = field(default_factory=weakref.WeakValueDictionary)
    _by_request: weakref.WeakValueDictionary[Id, Run] = field(default_factory=weakref.WeakValueDictionary)
    _claimed: dict[Id, bool] = field(default_factory=dict)
    """The ids of requests that are being started, and whether each has been cancelled meanwhile."""
    _expected: dict[Id, asyncio.Future[jsonrpc.RpcResponse]] = field(default_factory=dict)
    """Our requests to the client that have no response yet."""

    @property
    def principal(self) -> str:
        """Whose session it is."""
        return self.record.access.principal

    async def change(self, change: Callable[[SessionRecord], None]) -> None:
        """Change what is known of the client, in every process. Raises what `change` raises, and where processes share
        a log LogUnavailable, and RpcError for a session that has ended."""
        if self.shared is None:
            change(self.record)
        else:
            await self.shared.change(self, change)

    # --- the client's requests ---------------------------------------------------------------------------------------

    @contextmanager
    def claim(self, request: Id) -> Iterator[None]:
        """Reserve the id while its request is being started. Raises InvalidRequest if a request with the same id is in
        progress: "the request ID MUST NOT have been previously used by the requestor within the same session"
        (Requests). Ids of answered requests may be reused: some clients restart counting at 1.
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

    def track(self, request: Id, run: Run, transcript: Transcript) -> None:
        """Register a run: it can be cancelled by the request's id, and its stream be resumed by the run's id."""
        self._by_request[request] = run
        if self._claimed.get(request):
            self.cancel(request)
        self._runs[run.id] = run
        self._transcripts[run] = transcript

    def join(self, request: Id, run: FoundRun) -> None:
        """Register the run of an earlier request, which this one repeats: it can be cancelled by the id of both."""
        if isinstance(run, Run):
            self._by_request[request] = run
            if self._claimed.get(request):
                self.cancel(request)

    async def keep_batch(self, runs: Sequence[str]) -> str:
        """Register the stream of these runs, and return its name, by which it can be resumed. Raises LogUnavailable."""
        name = secrets.token_hex(16)
        self.batches[name] = runs
        if len(self.batches) > MAX_BATCHES:
            self.batches.popitem(last=False)
        if self.shared is not None:
            await self.shared.keep_batch(self, name, runs)
        return name

    async def batch(self, name: str) -> Sequence[str] | None:
        """The runs of that stream; None for a name that is not known. Raises LogUnavailable."""
        runs = self.batches.get(name)
        return await self.shared.batch(self, name) if runs is None and self.shared is not None else runs

    def find(self, run_id: str) -> RequestRun | None:
        """The request with that run, which may have ended; None for a run of another session or process, or a forgotten
        one."""
        found = self._runs.get(run_id)
        return None if found is None else RequestRun(found, self._transcripts[found])

    def resumed(self, request: RequestRun) -> None:
        """A stream of a request that another process works on is open here."""
        self._transcripts[request.run] = request.transcript

    def resumed_elsewhere(self, run_id: str) -> None:
        """Another process has a stream of that run from now on: a stream of it here sends nothing more."""
        for run, transcript in self._transcripts.items():
            if run.id == run_id:
                transcript.acquire()

    @property
    def busy(self) -> bool:
        """Whether the session has an open stream or pending work."""
        return self.streams > 0 or self.has_pending_work

    @property
    def has_pending_work(self) -> bool:
        """Whether messages are still to come: a run has not ended, or its messages have not been sent."""
        return bool(self.relays) or any(not each.over for each in self._runs.values())

    def cancel(self, request: Id) -> bool:
        """notifications/cancelled: cancel the request. Ignored for an unknown or ended request ("MAY be ignored").
        Returns whether the request is known here."""
        run = self._by_request.get(request)
        if request in self._claimed:  # it is being started
            self._claimed[request] = True
        if run is not None:
            run.stop(Cancelled("The client cancelled the request."))
        return run is not None or request in self._claimed

    # --- notifications -----------------------------------------------------------------------------------------------

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification that belongs to no request."""
        self.outbox.send(jsonrpc.notification(method, None if params is None else encode(params)))

    def completed(self, elicitation: str) -> None:
        """Notify the client that an elicitation is complete whose call has already ended."""
        self.notify("notifications/elicitation/complete", {"elicitationId": elicitation})

    # --- our requests ------------------------------------------------------------------------------------------------

    def expect(self) -> tuple[Id, asyncio.Future[jsonrpc.RpcResponse]]:
        """Allocate the id of a request to the client, and the future of its response.

        The session cancels the future when it ends; a caller that stops waiting must cancel it, too.
        """
        request = ("" if self.shared is None else self.shared.prefix) + secrets.token_hex(8)
        future: asyncio.Future[jsonrpc.RpcResponse] = asyncio.get_running_loop().create_future()
        self._expected[request] = future
        future.add_done_callback(lambda _: self._expected.pop(request, None))
        return request, future

    def expects(self, request: Id) -> bool:
        """Whether our request with that id has no response yet."""
        return request in self._expected

    def receive_response(self, response: jsonrpc.RpcResponse) -> bool:
        """Process a response from the client. Returns whether it was expected."""
        future = None if response.id is None else self._expected.get(response.id)
        if future is None or future.done():
            return False
        future.set_result(response)
        return True

    def end(self, *, stop_runs: bool) -> None:
        """Close the outbox and cancel the expected responses; `stop_runs`: cancel the runs as well."""
        self.ended = True
        self.outbox.close()
        for future in list(self._expected.values()):
            future.cancel()
        if stop_runs:
            for run in list(self._runs.values()):
                run.stop(Cancelled("The client's session has ended."))
