"""Batches, of MCP 2025-03-26 alone: many messages in one body, and one answer to all of its requests.

A JSON array where nothing but responses is to be said, else one stream with what all of its calls say: each response
once, the end after the last (2025-03-26, Transports, Sending Messages to the Server, 5 and 6). Which methods there are,
and what a message does, is requests.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ....protocol.errors import InvalidRequest, UnknownRun
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....web.messages import NO_CONTENT, Answer, Request, json_answer
from ..answering import Answering, acceptable
from .merged_stream import BatchedCall, MergedStream, array
from .session import Session, Working

ACCEPTED = Answer(202, ())

Begin = Callable[[Session, Request, jsonrpc.RpcRequest], Awaitable[bytes | Working]]
Take = Callable[[Session, jsonrpc.RpcNotification | jsonrpc.RpcResponse], None]


class Batching:
    """Answers batches."""

    def __init__(self, answering: Answering, clock: Callable[[], float]) -> None:
        self._answering = answering
        self._clock = clock

    async def answer(
        self,
        session: Session,
        request: Request,
        messages: Sequence[jsonrpc.RpcMessage | RpcError],
        begin: Begin,
        take: Take,
    ) -> Answer:
        """The messages are taken in their order; the responses stand in that of the requests. Raises RpcError in
        revisions that have no batches."""
        if not session.revision.batches:
            raise RpcError(Code.INVALID_REQUEST, "Batches are of revision 2025-03-26 only: send each message alone.")
        wanted = acceptable(request.headers.get("accept"))
        responses: list[bytes | None] = []
        calls: dict[int, BatchedCall] = {}
        try:
            for message in messages:
                if isinstance(message, jsonrpc.RpcNotification | jsonrpc.RpcResponse):
                    take(session, message)
                    continue
                begun = await _begun(session, request, message, begin)
                if isinstance(begun, Working):
                    calls[len(responses)] = self._call(begun)
                responses.append(None if isinstance(begun, Working) else begun)
            if not responses:
                return ACCEPTED
            lasts = await asyncio.gather(*(each.quick(self._answering.patience(wanted)) for each in calls.values()))
            for at, last in zip(list(calls), lasts, strict=True):
                if last is not None:
                    responses[at] = last
                    calls.pop(at).close()
            said = [each for each in responses if each is not None]
            if not calls:
                return json_answer(200, array(said))
            name = session.keep_batch([each.run.id for each in calls.values()])
            going_on, calls = list(calls.values()), {}
            return self._streamed(name, going_on, said)
        finally:
            for call in calls.values():
                call.close()

    def resume(self, session: Session, stream: str, after: Sequence[int]) -> Answer | None:
        """The rest of a batch's stream; None when the session has none of that name.

        Raises InvalidRequest for positions that are none of it, UnknownRun when its calls are not kept any more.
        """
        named = session.batches.get(stream)
        if named is None:
            return None
        working = [found for run in named if (found := session.working(run)) is not None]
        if len(working) < len(named):
            raise UnknownRun("The calls of this batch are not kept any more.")
        if len(after) != len(working) or any(at > each.run.events for at, each in zip(after, working, strict=True)):
            raise InvalidRequest("Last-Event-ID is none that this server gives out.")
        if all(each.run.over and at == each.run.events for at, each in zip(after, working, strict=True)):
            return NO_CONTENT
        return self._streamed(stream, [self._call(each, at) for each, at in zip(working, after, strict=True)], [])

    def _call(self, working: Working, after: int = 0) -> BatchedCall:
        filtered, rendering = self._answering.one_of_several(working.run, working.transcript, after)
        return BatchedCall(working.run, working.transcript.asked.id, filtered, rendering, after)

    def _streamed(self, name: str, calls: Sequence[BatchedCall], said: Sequence[bytes]) -> Answer:
        merged = MergedStream(name, calls, said, self._clock)
        return self._answering.shared(merged, merged, name)


async def _begun(
    session: Session, request: Request, message: jsonrpc.RpcRequest | RpcError, begin: Begin
) -> bytes | Working:
    if isinstance(message, RpcError):
        return message.encode()
    if message.method == "initialize":  # "The initialize request MUST NOT be part of a JSON-RPC batch" (Lifecycle)
        return RpcError(Code.INVALID_REQUEST, "initialize stands in no batch.", id=message.id).encode()
    return await begin(session, request, message)
