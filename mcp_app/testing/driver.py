"""Sends the requests of one call and reads what comes, in a task of its own, until the last event.

What the requests are, and what comes of a response, is decided by the conversation (client/wire); what an author sees
of it is in run.py.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_app.client.wire.conversation import Conversation
from mcp_app.client.wire.incoming import Incoming
from mcp_app.client.wire.outgoing import Outgoing
from mcp_app.client.wire.question import Question, result_of
from mcp_app.client.wire.run_events import QuestionEvent, RunEvent
from mcp_app.protocol.errors import Left
from mcp_app.testing.connection import ServerConnection
from mcp_app.testing.in_memory import InMemoryResponse
from mcp_app.testing.options import CallOptions
from mcp_app.testing.patience import patiently
from mcp_app.testing.shared_stream import SharedStream


class RunCut(ConnectionError):
    """The response ended without a last event, and the dialect has no way to come back to it."""


class CallDriver:
    """`call` is whose lines of the log it makes. `name` is for messages."""

    def __init__(
        self,
        connection: ServerConnection,
        options: CallOptions,
        name: str,
        call: object,
        make: Callable[[], Awaitable[Conversation]],
    ) -> None:
        self.events: list[RunEvent] = []
        self.heartbeats = 0
        self.conversation: Conversation | None = None
        """None until its session, if it has one, is open."""
        self.failure: BaseException | None = None
        """Why there is no last event."""
        self.cut = False
        """The client has cut its connection, and not come back."""
        self.options = options
        self._connection = connection
        self._name = name
        self._call = call
        self._on_demand = options.reads == "on_demand"
        self._events_wanted = 0 if self._on_demand else math.inf
        self._response: InMemoryResponse | None = None
        self._stream: SharedStream | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._again: asyncio.Future[Outgoing] | None = None
        self._task = asyncio.create_task(self._drive(make), name=f"client of {name}")
        self._task.add_done_callback(lambda _: self._notify())
        connection.leave_at_end(self._task, self.leave)

    @property
    def ended(self) -> bool:
        return self._task.done()

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition, which is looked at whenever something came. Raises NothingCame."""
        if not condition():
            await self._patiently(self._until(condition), what)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _patiently(self, waiting: Any, what: str) -> None:
        await patiently(waiting, self.options.patience, lambda: self._described(what))

    def _described(self, what: str) -> str:
        last = f"the last event was {self.events[-1]}" if self.events else "no event came"
        log = self._connection.log.text(self._call)
        return f"{self._name}: waiting for {what}; {last}" + (f"; the log: {log}" if log else "")

    # --- the client's moves ------------------------------------------------------------------------------------------

    def want(self, events: float = math.inf) -> None:
        """Let a reader that reads on demand read until so many events came; all of them if no number is said."""
        self._events_wanted = max(self._events_wanted, events)
        self._wanted.set()

    async def leave(self) -> None:
        """Close the connection for good, and wait until the server is done with the request."""
        if not self.ended:
            self._task.cancel()
            await asyncio.wait({self._task})
            self.failure = self.failure or Left(f"The client left {self._name}.")
        await self._left()

    async def disconnect(self) -> None:
        """Cut the connection, once there is one, and wait likewise."""
        if self.cut:
            return
        await self.until(lambda: self._response is not None or self._stream is not None or self.ended, "a connection")
        self.cut = True
        self._again = asyncio.get_running_loop().create_future()
        await self._left()

    def reconnect(self) -> None:
        """Go on after `disconnect`. Raises RunCut where the conversation has no way."""
        request = None if self.ended or self.conversation is None else self.conversation.proceed()
        if self._again is None or request is None:
            raise RunCut(f"{self._name} cannot be come back to: {_COME_BACK}")
        self.cut, self._response = False, None
        self._again.set_result(request)

    async def send(self, request: Outgoing) -> None:
        """Send what is beside the call's own requests. Raises NotSpoken if it is refused."""
        await self._connection.ask(request, self.options, self._call)

    async def _left(self) -> None:
        if self._stream is not None:
            await self._patiently(self._stream.leave(), "the server to be done with the session")
        if self._response is not None:
            self._response.leave()
            await self._patiently(self._response.over(), "the server to be done with the request")

    # --- the task ----------------------------------------------------------------------------------------------------

    async def _drive(self, make: Callable[[], Awaitable[Conversation]]) -> None:
        try:
            self.conversation = conversation = await make()
            if (stream := self._connection.stream_of(conversation)) is not None:
                await self._on_stream(conversation, stream)
            request: Outgoing | None = None if stream is not None else conversation.begin()
            while request is not None:
                await self._exchange(conversation, request)
                request = await self._following(conversation)
            if not conversation.over:
                self.failure = RunCut(f"the response to {self._name} ended without a last event")
        except asyncio.CancelledError:
            self.failure = self.failure or Left(f"The client left {self._name}.")
        except BaseException as error:
            self.failure = error
        finally:
            for each in self._answers:
                each.cancel()
            if self._response is not None:
                self._response.leave()

    async def _on_stream(self, conversation: Conversation, stream: SharedStream) -> None:
        """Send the request of a call for which everything comes on the stream of its session."""

        def take(events: list[RunEvent], heartbeats: int) -> None:
            self.heartbeats += heartbeats
            self._take(conversation, events)
            self._notify()

        self._stream = stream
        stream.join(conversation, take)
        await self.send(conversation.begin())
        self._notify()
        await self._until(lambda: conversation.over or stream.ended or self.failure is not None)
        if self.failure is not None:
            raise self.failure

    async def _exchange(self, conversation: Conversation, request: Outgoing) -> None:
        """Send a request, and read its response to its end or to the call's."""
        connection = self._connection
        self._response = response = connection.send(request, self.options, self._call, on_demand=self._on_demand)
        self._notify()
        status = await response.head()
        if status is None:
            return  # left before
        incoming = Incoming(status, response.headers.get("content-type", ""))
        while not conversation.over:
            await self._demand()
            chunk = await response.chunk()
            if chunk is None:
                break
            before = incoming.heartbeats
            for event in incoming.feed(chunk):
                self._take(conversation, conversation.event(event))
            self.heartbeats += incoming.heartbeats - before
        if not incoming.is_stream and not self.cut:
            self._take(conversation, conversation.answer(status, incoming.body))

    async def _following(self, conversation: Conversation) -> Outgoing | None:
        """The next request, once all questions are answered and the client is back."""
        while self._answers:
            await asyncio.wait(set(self._answers), return_when=asyncio.FIRST_COMPLETED)
        if self.failure is not None:
            raise self.failure
        if self.cut and not conversation.over and self._again is not None:
            return await self._again
        return conversation.proceed()

    async def _demand(self) -> None:
        while len(self.events) >= self._events_wanted:
            self._wanted.clear()
            await self._wanted.wait()

    def _take(self, conversation: Conversation, events: list[RunEvent]) -> None:
        for event in events:
            self.events.append(event)
            if isinstance(event, QuestionEvent):
                answer = asyncio.create_task(self._answer(conversation, event), name=f"answer to {self._name}")
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)
        if events:
            self._notify()

    async def _answer(self, conversation: Conversation, event: QuestionEvent) -> None:
        try:
            request = conversation.reply(event.question, await self._result(event.question))
            if request is not None:
                await self.send(request)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # the test's own, as of pytest.fail: `await run` raises it
            self.failure = error
            if self._response is not None:
                self._response.leave()
            self._notify()

    async def _result(self, question: Question) -> dict[str, Any]:
        """What the author's function answers, as MCP has it. Raises TypeError for what does not fit the question."""
        answering = self.options.answer
        if answering is None:
            raise TypeError(f"{self._name} asks {question.message!r}, and the client has no answer= function")
        answer = answering(question)
        return result_of(question, await answer if inspect.isawaitable(answer) else answer)


_COME_BACK = (
    'in the plain dialect a call by="get" or by="detached" can be, in MCP a call in a session of 2025-11-25 to '
    "2025-03-26, once an event with an id came, and a task"
)
