"""HTTP+SSE, the transport of MCP 2024-11-05: one stream that the client keeps open, and POSTs answered on that stream.

A session starts and ends with its stream (2024-11-05, Transports, HTTP with SSE). Clients negotiate newer revisions
over this transport, too; batches are not part of it.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from ....nodes.letters import Letter
from ....protocol.errors import Overloaded, UnknownRun
from ....protocol.http import sse
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcBody, RpcError
from ....protocol.policy import MCP_2024_11_05
from ....runs.at_work import RETRY_AFTER
from ....runs.end_line import ORIGIN
from ....web.charging import take_place
from ....web.links import Links
from ....web.messages import Answer, Request
from ..answering import Answering
from ..failures import as_rpc_error
from .forwarding import read_post
from .listening import Listening
from .register import Sessions
from .requests import SessionMethods
from .session import Session
from .shared_sessions import no_session

MAX_UNANSWERED = 128
"""Requests of one session without an answer, as many as streams of an HTTP/2 connection: their answers wait in memory
for a client that does not read."""


class HttpSse:
    """Opens streams, and receives the messages to their sessions."""

    def __init__(
        self,
        links: Links,
        sessions: Sessions,
        methods: SessionMethods,
        answering: Answering,
        listening: Listening,
    ) -> None:
        self._links = links
        self._sessions = sessions
        self._methods = methods
        self._answering = answering
        self._listening = listening

    def check(self) -> None:
        """Raises Draining or Overloaded if no session can be opened now."""
        self._sessions.check()

    async def open(self, request: Request) -> Answer:
        """Start a session and its stream; the first event contains the URL for messages."""
        take_place(request)
        session = await self._sessions.begin(request.access, MCP_2024_11_05)
        address = self._links.path(request, f"{request.path}/messages?session={session.id}")
        opening = sse.OPEN + sse.frame(address.encode(), event="endpoint")
        return self._listening.answer_without_ids(session, opening, lambda: self._sessions.end_soon(session))

    async def post(self, request: Request, message: RpcBody | RpcError) -> Answer:
        """Receive one message. A request is answered on the stream, also if it is none."""
        session = await self._session(request)
        if isinstance(message, list):
            raise RpcError(Code.INVALID_REQUEST, "This transport has no batches: send each message alone.")
        if isinstance(message, RpcError):
            session.outbox.send(message.encode())
        elif session.shared is not None and not session.outbox.opened:
            if not await session.shared.post(session, request):
                await self._sessions.end(session)
                raise no_session()
        else:
            await self._receive(session, request, message)
        return Answer(202, ())

    async def receive_posted(self, letter: Letter) -> None:
        """Receive a message that came to another process, and has been checked there. Raises Overloaded, UnknownRun."""
        session = self._sessions.here(letter["session"])
        if session is None:
            raise UnknownRun("There is no such session, or its stream has ended.")
        request = read_post(letter)
        ORIGIN.set((request.peer, request.http_version))
        message = jsonrpc.parse(request.body)
        assert not isinstance(message, list)  # noqa: S101 - it is refused where it came
        await self._receive(session, request, message)

    async def _receive(self, session: Session, request: Request, message: jsonrpc.RpcMessage) -> None:
        if isinstance(message, jsonrpc.RpcRequest):
            if len(session.relays) >= MAX_UNANSWERED:
                raise Overloaded(f"{MAX_UNANSWERED} requests of this session have no answer yet.", headers=RETRY_AFTER)
            task = asyncio.create_task(self._answer(session, message, request))
            session.relays.add(task)
            task.add_done_callback(session.relays.discard)
        elif isinstance(message, jsonrpc.RpcNotification):
            await self._methods.receive_notification(session, message)
        else:
            session.receive_response(message)

    async def _session(self, request: Request) -> Session:
        session_id = parse_qs(request.query.decode("latin-1")).get("session", [""])[0]
        session = await self._sessions.find(session_id, request.access)
        if session is None or session.record.policy is not MCP_2024_11_05:
            raise no_session()
        return session

    async def _answer(self, session: Session, message: jsonrpc.RpcRequest, request: Request) -> None:
        try:
            started = await self._methods.begin(session, message, request)
            if not isinstance(started, bytes):
                started = await self._answering.relay(started.run, started.transcript, session.outbox.deliver)
            await session.outbox.deliver(started)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # of an author's code: who waits on the stream would wait for ever
            session.outbox.send(as_rpc_error(error, message.id).encode())
