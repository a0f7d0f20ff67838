"""One call in a worker: the tool is loaded, its arguments validated again, and it works as it would in the server.

What is sent are packets, and to whom is not known.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..asking import Asker, NullAsker
from ..asking.questions import Questions
from ..authoring.caller import Caller
from ..authoring.kind import Encoded
from ..authoring.parts import Gauge, GaugeElsewhere
from ..authoring.placement import Origin
from ..authoring.tool import Tool
from ..protocol.access import Access
from ..protocol.errors import Cancelled
from ..protocol.event import Event
from ..protocol.http.trace import Trace
from ..protocol.packets import Packet
from ..protocol.relay import PacketKind, Returned, error_packet, event_packet, result_packet
from ..runs.called_tool import CalledTool
from ..runs.channel import CHANNEL_BYTES, CHANNEL_ITEMS
from ..runs.dependencies import Dependencies
from ..runs.dialogue import Dialogue
from ..runs.execution import Work, work
from ..runs.failure import public_error
from ..runs.threads import Threads
from .asking import AskerThere
from .calling import CallsThere
from .loading import load

Send = Callable[..., None]
"""Sends packets, all at once."""

TOGETHER_SECONDS = 0.005
"""Seconds that a result waits for the end of what the call took, so that whoever calls next finds the process free: a
new one takes a hundred times as long to start."""

logger = logging.getLogger("mcp_app.runs")


_CANCELLED = error_packet(Cancelled("The call was cancelled."))
"""Which nobody sees: the run has ended."""


_FREE = Packet(PacketKind.FREE)


class Emitter:
    """Sends the events of one call, and waits where the server has CHANNEL_ITEMS or CHANNEL_BYTES that nobody took."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ahead = self._ahead_bytes = 0
        self._room = asyncio.Event()
        self._refusing = False

    async def emit(self, events: Sequence[Event]) -> None:
        """Raises EventTooLarge, and CancelledError once the call is over."""
        for event in events:
            packet = event_packet(event)
            while self._ahead >= CHANNEL_ITEMS or self._ahead_bytes >= CHANNEL_BYTES:
                self._check()
                self._room.clear()
                await self._room.wait()
            self._check()
            self._ahead += 1
            self._ahead_bytes += len(packet.body)
            self._send(packet)

    def acknowledge(self, events: int, size: int) -> None:
        """The server has taken so many."""
        self._ahead -= events
        self._ahead_bytes -= size
        self._room.set()

    def refuse(self) -> None:
        """From now on `emit` raises CancelledError."""
        self._refusing = True
        self._room.set()

    def _check(self) -> None:
        if self._refusing:
            raise asyncio.CancelledError("the run was ended")


class _Collecting(CalledTool):
    """The tool, for another one that called it: what it yields is sent, and is its result as well."""

    __slots__ = ("parts",)

    def __init__(self, tool: Tool) -> None:
        super().__init__(tool)
        self.parts: list[bytes] = []

    @property
    def encode_item(self) -> Callable[[Any], Encoded] | None:
        encode_item = super().encode_item

        def encode(value: Any) -> Encoded:
            assert encode_item is not None  # noqa: S101 - asked for below
            encoded = encode_item(value)
            self.parts.append(encoded.data)
            return encoded

        return None if encode_item is None else encode

    def encode_result(self, value: Any) -> Encoded:
        return self.tool.encode_result(value)


class Working:
    """A call, from the packet that asks for it to the one that ends it."""

    def __init__(self, call: dict[str, Any], send: Send, threads: Threads, dependencies: Dependencies) -> None:
        self._call = call
        self._send = send
        self._threads = threads
        self._dependencies = dependencies
        self._asker = None if call["capabilities"] is None else AskerThere(call["capabilities"], polled=call["polled"])
        self.emitter = Emitter(send)
        self.dialogue = Dialogue(send, {} if self._asker is None else self._asker.responses)
        if self._asker is not None:
            self._asker.dialogue = self.dialogue
        self.caller = CallerThere(call, self._asker)
        if call["calls"]:
            self.caller.calls = CallsThere(self.dialogue, call["run"], call["tool"])
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._end = _CANCELLED

    async def run(self) -> None:
        """Work, send the result or the error, and wait until all is given back that the function took."""
        if not self._cancelled:  # the end may be behind the call in one read
            self._begin()
        if self._task is not None:
            await asyncio.wait({self._task})
        self.emitter.refuse()
        self.dialogue.close()
        closing = asyncio.create_task(self._closed(), name="closing of a call")
        done, _ = await asyncio.wait({closing}, timeout=TOGETHER_SECONDS)
        if done:
            self._send(self._end, _FREE)
            return
        self._send(self._end)
        await closing
        self._send(_FREE)

    async def _closed(self) -> None:
        await self._dependencies.closings.ended()
        await self._threads.ended()

    def cancel(self, reason: str) -> None:
        """End the call, as a run ends its function."""
        self.caller.reason, self._cancelled = reason, True
        if self._task is not None:
            self._task.cancel()
        self.emitter.refuse()

    def _begin(self) -> None:
        call = self._call
        try:
            tool = self._tool = load(Origin(**call["origin"]), call["tool"])
            arguments = tool.from_query(call["params"], call["texts"]).arguments
        except BaseException as error:  # SystemExit ends this call, not the process
            self._end = self._error(error)
            return
        if (plan := tool.plan) is None:
            self._task = asyncio.create_task(self._work(arguments), name=f"call of {tool.name}")
        else:
            context = contextvars.copy_context()
            self._task = self._dependencies.begin(plan, arguments, self._work, self._succeeded, context)

    async def _work(self, arguments: dict[str, Any], work: Work = work) -> None:
        run = self._call["run"]
        try:
            callee = _Collecting(self._tool) if self._call["collects"] else self._tool
            working = work(callee, arguments, self.caller, self.emitter.emit, self._threads, run, None)
            outcome = await (working if self.caller.calls is None else self.caller.calls.until(working))
            result = outcome.result
            if isinstance(callee, _Collecting) and outcome.items is not None:
                result = result._replace(data=b"[%b]" % b",".join(callee.parts))
            self._end = result_packet(Returned(*result, outcome.items))
        except BaseException as error:
            if not self._cancelled:
                self._end = self._error(error)
            elif not isinstance(error, asyncio.CancelledError | GeneratorExit):
                logger.warning("run %s: %s raised while being stopped", run, self._tool.name, exc_info=error)

    def _succeeded(self) -> bool:
        return self._end.kind == PacketKind.RESULT

    def _error(self, error: BaseException) -> Packet:
        name, run = self._call["tool"], self._call["run"]
        return error_packet(public_error(error, f"The tool {name}", f"run {run}: {name}", self._call["most"]))


def _access(principal: str, scopes: list[str] | None, claims: dict[str, Any]) -> Access:
    """What the server tells a process of it, which is what an author can ask for."""
    return Access(principal, None if scopes is None else frozenset(scopes), claims=claims)


class CallerThere(Caller):
    """The caller of a function in a worker; `under` stands before the keys of its questions."""

    __slots__ = ("_under",)

    def __init__(self, call: dict[str, Any], asker: Asker | None) -> None:
        self._under: str = call["under"]
        super().__init__(
            access=_access(**call["access"]),
            headers=call["headers"],
            deadline=time.monotonic() + call["seconds"],
            clock=time.monotonic,
            asker=asker,
            trace=Trace(*call["trace"]),
            dialect=call["dialect"],
        )

    def _new_gauge(self) -> Gauge:
        return GaugeElsewhere()

    def _new_questions(self) -> Questions:
        return Questions(self.asker or NullAsker(), self._under)
