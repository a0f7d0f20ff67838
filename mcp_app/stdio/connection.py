"""One client over standard input and output: brings each message to its era, and everything that answers it back.

A request that names its revision is answered without a session; `initialize` opens the one session of the process. A
client may do both (2026-07-28, Versioning). Methods, runs and what is rendered belong to the dialect; bytes and threads
to the modules beside this one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..dialects.mcp.dispatch import is_stateless
from ..dialects.mcp.failures import as_rpc_error
from ..dialects.mcp.sessions.merged_stream import array
from ..dialects.mcp.sessions.session import Session
from ..dialects.mcp.speaker import McpSpeaker
from ..dialects.mcp.stateless.binding import STDIO
from ..dialects.mcp.stateless.subscriptions import SUBSCRIPTION_ID, Subscription
from ..protocol.access import Access
from ..protocol.errors import Cancelled, InvalidRequest, Overloaded, Purged
from ..protocol.event import encode
from ..protocol.mcp import jsonrpc
from ..protocol.mcp.jsonrpc import Code, Id, RpcError
from ..protocol.mcp.revisions import REVISIONS
from ..protocol.mcp.transcript import Transcript
from ..protocol.policy import MCP_STDIO
from ..runs import FoundRun, Run
from ..runs.end_line import ORIGIN
from ..web.messages import Answer, Request
from .lines import MAX_LINE_BYTES, Skipped

logger = logging.getLogger("mcp_app.mcp")

LOCAL = Access("local")
"""The principal of whoever started this process: there is one, and its files, keys and rights are those of the process
("retrieve credentials from the environment", 2025-11-25, Authorization)."""

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""A larger response is sent without what stands twice in it: the official npm SDK ends a connection whose line has more
than 10 MiB."""

MAX_UNANSWERED = 4096
MAX_UNANSWERED_BYTES = 64 * 1024 * 1024
"""Requests without a response, and the bytes of their lines. Runs have limits of their own; these are for what is no
run. One more is refused, not left in the pipe: behind it may be the answer that a call is waiting for."""

Send = Callable[[bytes], Awaitable[None]]
"""Sends one message. Waits while the client has too much to read."""


@dataclass(eq=False, slots=True)
class Unanswered:
    """A request without a response, and what has to stop when it is cancelled."""

    size: int
    task: asyncio.Task[None] | None = None
    run: Run | None = None
    listening: bool = False
    """Whether it is a subscription, which nothing but its client or a stop ends."""

    def cancel(self) -> None:
        """ "MUST NOT send any further messages for it" (2026-07-28, stdio, Cancellation)."""
        if self.run is not None:
            self.run.stop(Cancelled("The client cancelled the request."))
        if self.task is not None:
            self.task.cancel()


class StdioConnection:
    """The client of this process. `open` it first, and `close` it."""

    def __init__(self, speaker: McpSpeaker, send: Send, session: Session) -> None:
        self._speaker = speaker
        self._send = send
        self._session = session
        self._unanswered: dict[Id, Unanswered] = {}
        self._size = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches: set[asyncio.Task[None]] = set()
        session.streams += 1  # in use as long as the process is
        self._forwarding = asyncio.create_task(self._forward(), name="notifications of the session")

    @classmethod
    async def open(cls, speaker: McpSpeaker, send: Send) -> StdioConnection:
        """The connection, with a session that `initialize` may use."""
        return cls(speaker, send, await speaker.sessions.begin(LOCAL, MCP_STDIO))

    # --- what comes in -----------------------------------------------------------------------------------------------

    async def receive(self, line: bytes | Skipped) -> None:
        """Process one line. What it starts goes on by itself; what is wrong with it is answered."""
        if isinstance(line, Skipped):
            await self._skip(line)
            return
        try:
            message = jsonrpc.parse(line, "The line")
            if isinstance(message, list):
                self._check_batch()
        except RpcError as error:
            await self._send(error.encode())
            return
        if isinstance(message, list):
            await self._receive_batch(message, line)
        elif isinstance(message, jsonrpc.RpcRequest):
            task = await self._start(message, line, self._send, len(line))
            if message.method == "initialize" and task is not None:
                await asyncio.wait({task})  # what follows belongs to the session
        else:
            await self._receive_unanswered(message)

    async def _receive_unanswered(self, message: jsonrpc.RpcNotification | jsonrpc.RpcResponse) -> None:
        if isinstance(message, jsonrpc.RpcResponse):
            self._session.receive_response(message)
        elif message.method == "notifications/cancelled":
            request = jsonrpc.read_id(message.params.get("requestId"))
            unanswered = None if request is None else self._unanswered.get(request)
            if request is not None and unanswered is not None:
                unanswered.cancel()
                self._forget(request, unanswered)
        else:
            await self._speaker.methods.receive_notification(self._session, message)

    async def _skip(self, line: Skipped) -> None:
        """Answer a line that was too long: with an error, or, to a call of ours that it answers, as one."""
        problem = f"The line has more than {MAX_LINE_BYTES} bytes and was skipped."
        error = {"code": int(Code.INVALID_REQUEST), "message": problem}
        if line.id is None or not self._session.receive_response(jsonrpc.RpcResponse(line.id, error=error)):
            hint = "Send less, or a reference to the data instead of the data."
            data = InvalidRequest(problem, hint=hint).object()
            await self._send(RpcError(Code.INVALID_REQUEST, problem, id=line.id, data=data).encode())

    # --- batches -----------------------------------------------------------------------------------------------------

    def _check_batch(self) -> None:
        if self._session.record.capabilities is None or not self._session.record.revision.batches:
            raise RpcError(Code.INVALID_REQUEST, "Batches are of revision 2025-03-26 only: send each message alone.")

    async def _receive_batch(self, messages: list[jsonrpc.RpcMessage | RpcError], line: bytes) -> None:
        """The responses are one array, sent when the last of them is there (JSON-RPC 2.0, 6)."""
        responses: list[bytes] = []

        async def collect(response: bytes) -> None:
            responses.append(response)

        tasks = []
        for message in messages:
            if isinstance(message, RpcError):
                responses.append(message.encode())
            elif isinstance(message, jsonrpc.RpcRequest):
                if message.method == "initialize" or is_stateless(_request(b""), message):
                    problem = f"{message.method[:100]} stands in no batch."
                    responses.append(RpcError(Code.INVALID_REQUEST, problem, id=message.id).encode())
                elif (task := await self._start(message, line, collect, len(line) // len(messages))) is not None:
                    tasks.append(task)
            else:
                await self._receive_unanswered(message)
        batch = asyncio.create_task(self._answer_batch(tasks, responses), name="batch")
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)

    async def _answer_batch(self, tasks: list[asyncio.Task[None]], responses: list[bytes]) -> None:
        if tasks:
            await asyncio.wait(tasks)
        if responses:  # none of a notification, nor of what was cancelled
            await self._send(array(responses))

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _start(
        self, message: jsonrpc.RpcRequest, line: bytes, deliver: Send, size: int
    ) -> asyncio.Task[None] | None:
        """Start a request of `size` bytes, whose last message is delivered. None if it is refused."""
        try:
            self._check(message, size)
        except (InvalidRequest, Overloaded) as error:
            await deliver(as_rpc_error(error, message.id).encode())
            return None
        unanswered = self._unanswered[message.id] = Unanswered(size)
        self._size += unanswered.size
        answer = self._answer(unanswered, message, line, deliver)
        unanswered.task = asyncio.create_task(answer, name=f"request {message.id}")
        self._tasks.add(unanswered.task)
        unanswered.task.add_done_callback(self._tasks.discard)
        return unanswered.task

    def _check(self, message: jsonrpc.RpcRequest, size: int) -> None:
        if message.id in self._unanswered:
            raise InvalidRequest(
                "A request of this id is still being worked on.",
                hint="Give each request an id of its own; notifications/cancelled ends the one before.",
            )
        if len(self._unanswered) >= MAX_UNANSWERED or self._size + size > MAX_UNANSWERED_BYTES:
            raise Overloaded(f"{len(self._unanswered)} requests have no answer yet.")

    def _forget(self, request: Id, unanswered: Unanswered) -> None:
        """From now on the client may use the id again: with what it has been sent, or has said, it knows that."""
        if self._unanswered.get(request) is unanswered:
            del self._unanswered[request]
            self._size -= unanswered.size

    async def _answer(self, unanswered: Unanswered, message: jsonrpc.RpcRequest, line: bytes, deliver: Send) -> None:
        ORIGIN.set(("stdio", ""))
        try:
            last = await self._last_message(unanswered, message, _request(line))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # of an author's code: whoever waits for the answer would wait for ever
            last = as_rpc_error(error, message.id).encode()
        await deliver(last)
        self._forget(message.id, unanswered)

    async def _last_message(self, unanswered: Unanswered, message: jsonrpc.RpcRequest, request: Request) -> bytes:
        """The response, once all messages before it have been sent. Raises what becomes an error response."""
        if is_stateless(request, message):
            started = await self._speaker.stateless.begin(request, message, STDIO)
            if isinstance(started, Subscription):
                unanswered.listening = True
                return await self._listen(started)
            if isinstance(started, Answer):
                assert isinstance(started.body, bytes)  # noqa: S101 - a stream begins as a run or a subscription
                return started.body
            return await self._relay(unanswered, started.run, started.transcript)
        if self._session.record.capabilities is None and message.method not in ("initialize", "ping"):
            raise RpcError(
                Code.INVALID_REQUEST,
                "The request names no revision (in _meta), and there is no session: initialize opens one.",
                data={"supported": list(REVISIONS)},
            )
        begun = await self._speaker.methods.begin(self._session, message, request)
        return begun if isinstance(begun, bytes) else await self._relay(unanswered, begun.run, begun.transcript)

    async def _relay(self, unanswered: Unanswered, run: FoundRun, transcript: Transcript) -> bytes:
        unanswered.run = run if isinstance(run, Run) else None  # there is no other process here
        return await self._speaker.answering.relay(run, transcript, self._send, bound=MAX_RESPONSE_BYTES)

    async def _listen(self, subscription: Subscription) -> bytes:
        """Send the messages of a subscription and its result, which says that it has ended in order. The last message
        is the one that a server "MUST send […] when it tears down that subscription stream" (Cancellation)."""
        try:
            while (batch := await subscription.next(math.inf)) is not None:
                for entry in batch:
                    await self._send(entry.event.data)
        finally:
            subscription.close()
        params = {"requestId": subscription.id, "_meta": {SUBSCRIPTION_ID: subscription.id}}
        return jsonrpc.notification("notifications/cancelled", encode(params))

    # --- what belongs to no request ----------------------------------------------------------------------------------

    async def _forward(self) -> None:
        """Send the session's own messages, until the session ends."""
        outbox = self._session.outbox
        listener = outbox.listen()
        try:
            while True:
                try:
                    batch = await listener.next(math.inf)
                except Purged:
                    logger.warning("notifications were lost: the client reads too slowly")
                    listener = outbox.listen()
                    continue
                if batch is None:
                    return
                for entry in batch:
                    await self._send(entry.event.data)
        finally:
            listener.close()

    # --- the end -----------------------------------------------------------------------------------------------------

    async def settle(self, seconds: float) -> None:
        """Wait until the requests are answered, but for subscriptions, `seconds` at most."""
        tasks = {each.task for each in self._unanswered.values() if each.task is not None and not each.listening}
        if tasks := {*tasks, *self._batches}:
            await asyncio.wait(tasks, timeout=seconds)

    async def close(self, seconds: float) -> None:
        """End what still goes on: the last messages have `seconds`, then whoever still waits is cancelled."""
        tasks = {*self._tasks, *self._batches, self._forwarding}
        await self._speaker.sessions.end(self._session)
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        for each in pending:
            each.cancel()
        if pending:
            await asyncio.wait(pending, timeout=seconds)


def _request(line: bytes) -> Request:
    """A line as the request that handlers get: without header fields, from the process that started this one."""
    return Request("POST", "", body=line, access=LOCAL, http_version="")
