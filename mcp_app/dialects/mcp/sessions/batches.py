"""Batches, which exist in MCP 2025-03-26 only: several messages in one body, and one answer to all of its requests.

The answer is a JSON array if there are only responses to send, else one stream with the messages of all calls, which
ends after the last response (2025-03-26, Transports, Sending Messages to the Server, 5 and 6). Each request of a batch
counts for the limits as one that comes alone. The methods, and the effect of each message, are in requests.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ....protocol.errors import InvalidRequest, RateLimited, UnknownRun
from ....protocol.http import sse
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.payer import Payer
from ....web.messages import NO_CONTENT, Answer, Request, json_answer
from ..answering import Answering, acceptable, publish
from ..failures import as_rpc_error
from .merged_stream import BatchedCall, MergedStream, array
from .session import AnyRun, RequestRun, Session

ACCEPTED = Answer(202, ())

Begin = Callable[[Session, Request, jsonrpc.RpcRequest], Awaitable[bytes | AnyRun]]
"""Starts a request: its response, or its run."""

Receive = Callable[[Session, jsonrpc.RpcNotification | jsonrpc.RpcResponse], Awaitable[None]]
"""Handles a message that is not answered."""


Find = Callable[[Session, str, int], Awaitable[RequestRun | None]]
"""Finds a request of the session by its run, as it is behind that event; None if it is not kept any more."""


class Batching:
    """Answers batches."""

    def __init__(
        self, answering: Answering, clock: Callable[[], float], charge: Callable[[Payer], None] | None
    ) -> None:
        """`charge` is told who pays for one more request, and raises RateLimited; None where nothing is limited."""
        self._answering = answering
        self._clock = clock
        self._charge = charge

    async def answer(
        self,
        session: Session,
        request: Request,
        messages: Sequence[jsonrpc.RpcMessage | RpcError],
        begin: Begin,
        receive: Receive,
    ) -> Answer:
        """Process the messages in order; the responses are in the order of the requests. Raises RpcError in revisions
        without batches."""
        if not session.record.revision.batches:
            raise RpcError(Code.INVALID_REQUEST, "Batches are of revision 2025-03-26 only: send each message alone.")
        accepted = acceptable(request.headers.get("accept"))
        responses: list[bytes | None] = []
        runs: dict[int, AnyRun] = {}
        calls: dict[int, BatchedCall] = {}
        try:
            for message in messages:
                if isinstance(message, jsonrpc.RpcNotification | jsonrpc.RpcResponse):
                    await receive(session, message)
                    continue
                if responses and (limited := self._limited(request, message)) is not None:
                    responses.append(limited)
                    continue
                started = await _start(session, request, message, begin)
                if isinstance(started, AnyRun):
                    runs[len(responses)], calls[len(responses)] = started, self._call(started)
                responses.append(None if isinstance(started, AnyRun) else started)
            if not responses:
                return ACCEPTED
            deadline = self._answering.json_deadline(accepted)
            results = await asyncio.gather(*(each.response_only(deadline) for each in calls.values()))
            for index, response in zip(list(calls), results, strict=True):
                if response is not None:
                    responses[index] = response
                    calls.pop(index).close()
            complete = [each for each in responses if each is not None]
            if not calls:
                return json_answer(200, array(complete))
            await asyncio.gather(*(publish(*runs[index]) for index in calls))
            # One that repeats an earlier call is not in the session under this request: such a stream is not resumed.
            name = await session.keep_batch([each.run.id for each in calls.values() if not each.repeats])
            remaining, calls = list(calls.values()), {}
            return self._streamed(name, remaining, complete, sse.OPEN)
        finally:
            for call in calls.values():
                call.close()

    async def resume(self, session: Session, stream: str, after: Sequence[int], find: Find) -> Answer | None:
        """The rest of a batch's stream; None if the session has no such stream.

        Raises InvalidRequest for positions that do not exist in it, UnknownRun if its calls are no longer kept,
        LogUnavailable.
        """
        runs = await session.batch(stream)
        if runs is None:
            return None
        if len(after) != len(runs):
            raise InvalidRequest("Last-Event-ID is none that this server gives out.")
        found = [await find(session, run, at) for run, at in zip(runs, after, strict=True)]
        kept = [each for each in found if each is not None]
        if len(kept) < len(runs):
            raise UnknownRun("The calls of this batch are not kept any more.")
        if any(at > each.run.events for at, each in zip(after, kept, strict=True)):
            raise InvalidRequest("Last-Event-ID is none that this server gives out.")
        if all(each.run.over and at == each.run.events for at, each in zip(after, kept, strict=True)):
            return NO_CONTENT
        remaining = [self._call(each, at) for each, at in zip(kept, after, strict=True)]
        return self._streamed(stream, remaining, [], sse.OPEN_AGAIN)

    def _limited(self, request: Request, message: jsonrpc.RpcRequest | RpcError) -> bytes | None:
        """The response to one whose caller has no more requests left. The first was charged as the HTTP request."""
        if self._charge is None:
            return None
        try:
            self._charge(request.payer)
        except RateLimited as error:
            return as_rpc_error(error, message.id).encode()
        return None

    def _call(self, request: AnyRun, after: int = 0) -> BatchedCall:
        filtered, rendering = self._answering.member(request.run, request.transcript, after)
        return BatchedCall(request.run, request.transcript.info.id, filtered, rendering, after)

    def _streamed(self, name: str, calls: Sequence[BatchedCall], responses: Sequence[bytes], opening: bytes) -> Answer:
        merged = MergedStream(name, calls, responses, self._clock, opening)
        return self._answering.shared(merged, merged, name)


async def _start(
    session: Session, request: Request, message: jsonrpc.RpcRequest | RpcError, begin: Begin
) -> bytes | AnyRun:
    if isinstance(message, RpcError):
        return message.encode()
    if message.method == "initialize":  # "The initialize request MUST NOT be part of a JSON-RPC batch" (Lifecycle)
        return RpcError(Code.INVALID_REQUEST, "initialize stands in no batch.", id=message.id).encode()
    return await begin(session, request, message)
