"""One call in a process, as the server sees it: what is sent, what comes back, what the tool asks through it.

How the process is started, and which one it is, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ..asking.asker import Ask
from ..authoring.caller import Caller
from ..authoring.kind import Encoded
from ..authoring.parts import Gauge, Part, finished_numbers
from ..authoring.placement import SentArguments
from ..authoring.tool import Tool
from ..protocol.errors import McpAppError, ToolFailed
from ..protocol.event import Event, decode, encode
from ..protocol.packets import Packet, PacketError
from ..protocol.relay import PacketKind, Returned, check_size, error_fields, error_of, event_of, result_of
from .called_tool import CalledTool
from .callee import Callee, called
from .channel import CHANNEL_BYTES, CHANNEL_ITEMS
from .dialogue import Dialogue, Json, Respond
from .execution import Outcome
from .process import Process
from .sends import Emit

_GONE = "gone"
"""Of a packet that no process sends: it stands for its end."""


def call_packet(callee: Callee, arguments: SentArguments, caller: Caller, run: str, most: int) -> Packet:
    """All that a process is told of a call. `run` names it in the log; `most`: bytes that an error may have.

    Raises EventTooLarge for arguments that no packet can carry, as another tool may give them, and NotJson.
    """
    asker, trace, access = caller.asker, caller.trace, caller.access
    tool = callee.tool if isinstance(callee, CalledTool) else callee
    assert isinstance(tool, Tool)  # noqa: S101 - its arguments were made to be sent
    assert tool.origin is not None  # noqa: S101 - likewise
    params, texts = arguments.to_send(tool.signature)
    call = {
        "tool": tool.name,
        "origin": tool.origin._asdict(),
        "params": params,
        "texts": texts,
        "collects": isinstance(callee, CalledTool) and callee.collects,
        "dialect": caller.dialect,
        "run": run,
        "most": most,
        "access": {
            "principal": access.principal,
            "scopes": None if access.scopes is None else sorted(access.scopes),
            "claims": dict(access.claims),
        },
        "headers": dict(caller.headers),
        "trace": [trace.traceparent, trace.tracestate, trace.baggage_text],
        "seconds": caller.deadline - caller.clock(),
        "capabilities": None if asker is None else dict(asker.capabilities),
        "polled": asker is not None and asker.polled,
        "under": "" if asker is None else caller.questions.under,
        "calls": caller.calls is not None,
    }
    body = encode(call)
    check_size(f"A call of the {called(callee)}", len(body))
    return Packet(PacketKind.CALL, {}, body)


class ProcessCall:
    """One call, from its first packet to its last. `over` is set with the last one: then the process is free, or gone.
    `ended` is done when it is closed after that. `has_ended`: its result or error is there.

    A process is as far ahead of the run's events as a thread may be: CHANNEL_ITEMS events and CHANNEL_BYTES, counted by
    both sides. One that says more than it may is killed.
    """

    def __init__(self, process: Process, callee: Callee, caller: Caller, emit: Emit) -> None:
        self.over = asyncio.Event()
        self.has_ended = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process = process
        self._callee = callee
        self._caller = caller
        self._asker = caller.asker  # which the run lets go of at its end
        self._emit = emit
        self._packets: list[Packet] = []
        self._arrived = asyncio.Event()
        self._ahead = self._ahead_bytes = 0
        self._taken = self._taken_bytes = 0  # and not told yet: at each event it would cost more than the event
        self._dialogue = Dialogue(process.send, self._responses())
        process.on_packet = self._receive
        process.on_end = self._receive_end

    async def outcome(self, call: Packet) -> Outcome:
        """Send the call, and emit what it says until it ends. Raises RelayedError for a tool that failed there,
        ToolFailed for a process that ended, PacketError for one that says what it may not, and what `emit` raises."""
        self._process.send(call)
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            packets, self._packets = self._packets, []
            events: list[Event] = []
            size = 0
            for packet in packets:
                if packet.kind == PacketKind.EVENT:
                    events.append(finished_numbers(event_of(packet), self._gauge))
                    size += len(packet.body)
                    continue
                await self._take(events, size)
                events, size = [], 0
                if packet.kind == PacketKind.RESULT:
                    return self._returned(result_of(packet))
                if packet.kind == PacketKind.ERROR:
                    raise error_of(packet)
                if packet.kind == _GONE:
                    raise ToolFailed(f"The process of the {called(self._callee)} {packet.fields['why']}.")
                self._dialogue.receive(packet)
            await self._take(events, size)

    def _returned(self, returned: Returned) -> Outcome:
        data, content, beside, items = returned
        if not isinstance(self._callee, CalledTool):
            return Outcome(Encoded(data, content, beside), items=items)
        if items is not None and self._callee.collects:
            self._callee.take_items(decode(data))
            return Outcome(Encoded(b"null"), items=items)
        self._callee.take(Encoded(data, content, beside))
        return Outcome(Encoded(data, content, beside), items=items)

    def _gauge(self) -> Gauge:
        return self._caller.gauge

    def cancel(self, reason: str) -> None:
        """Tell the process to end the call: what it still says is not taken. `over` is set when it has."""
        self._dialogue.close()
        if not self.over.is_set():
            self._process.send(Packet(PacketKind.CANCEL, {"reason": reason}))

    def close(self) -> None:
        """Nothing more is asked or said: the call is over."""
        self._dialogue.close()
        if not self.ended.done():
            self.ended.set_result(None)
        self._process.on_packet = self._process.on_end = _ignore

    async def _take(self, events: list[Event], size: int) -> None:
        """`size`: bytes of what came. What is made of it may have more or less, by its finished numbers."""
        if not events:
            return
        await self._emit(events)
        self._taken += len(events)
        self._taken_bytes += size
        if self._taken >= CHANNEL_ITEMS // 4 or self._taken_bytes >= CHANNEL_BYTES // 4:
            self._process.send(Packet(PacketKind.TAKEN, {"events": self._taken, "bytes": self._taken_bytes}))
            self._ahead -= self._taken
            self._ahead_bytes -= self._taken_bytes
            self._taken = self._taken_bytes = 0

    def _receive(self, packet: Packet) -> None:
        """As it comes from the process. Raises PacketError for what it may not say."""
        if packet.kind == PacketKind.RESPONSE:
            self._dialogue.receive(packet)
            return
        if packet.kind == PacketKind.EVENT:
            if self._ahead >= CHANNEL_ITEMS or self._ahead_bytes >= CHANNEL_BYTES:
                raise PacketError("more events than were asked for")
            self._ahead += 1
            self._ahead_bytes += len(packet.body)
        elif packet.kind == PacketKind.FREE:
            if not self.has_ended:
                raise PacketError("the end of a call without a result")
            self.over.set()
            return
        elif packet.kind in (PacketKind.RESULT, PacketKind.ERROR):
            self.has_ended = True
        self._packets.append(packet)
        self._arrived.set()

    def _receive_end(self, why: str) -> None:
        self.over.set()
        self._packets.append(Packet(_GONE, {"why": why}))
        self._arrived.set()

    # --- what the tool asks ------------------------------------------------------------------------------------------

    def _responses(self) -> Mapping[str, Respond]:
        """What may be requested, by name: a further way to ask is a further row."""
        asked: dict[str, Respond] = {} if self._asker is None else {"ask": self._ask, "once": self._once}
        return asked if self._caller.calls is None else {**asked, "call": self._call}

    async def _ask(self, sent: Any) -> None:
        """Ask the caller. The answer is read, and kept, where the tool is: it is an object of its own classes."""
        match sent:
            case {"id": int(number), "method": str(method), "params": dict(params), "key": str(key)}:

                async def read(result: Mapping[str, Any]) -> None:
                    await self._dialogue.request("read", {"id": number, "result": result})

                assert self._asker is not None  # noqa: S101 - the row is there
                await self._asker.ask(Ask(method, params, {}, read), key)
            case _:
                raise PacketError("a question that is none")

    async def _once(self, sent: Any) -> Any:
        """The value of a key, made by the tool if there is none."""
        match sent:
            case {"id": int(number), "key": str(key)}:
                assert self._asker is not None  # noqa: S101 - the row is there
                return await self._asker.once.value(key, lambda: self._dialogue.request("make", {"id": number}))
            case _:
                raise PacketError("a key that is none")

    async def _call(self, sent: Any) -> Json | dict[str, Any]:
        """Call another tool as a step of the run. What it raises is a response as well: its class is known there."""
        match sent:
            case {
                "tool": str(name),
                "schema": str() | None as schema,
                "lent": bool(lent),
                "params": dict(params),
                "part": [bool(shared), float() | int() as start, float() | int() as end, *above, str(step)],
            }:
                part = Part(self._caller.gauge if shared else None, start, end, above, step, is_call=True)
                try:
                    calls = cast(CallsForProcess, self._caller.calls)
                    data = await calls.call_sent(self._caller, name, schema, params, part, lent=lent)
                    check_size(f"What the tool {name} returned to a process", len(data))
                    return Json(data)
                except McpAppError as error:
                    return {"error": error.object(), "beside": error_fields(error)}
            case _:
                raise PacketError("a call that is none")


class CallsForProcess(Protocol):
    """What calls other tools in the server's own process calls them for another one, too."""

    async def call_sent(
        self, caller: Caller, name: str, schema: str | None, params: Mapping[str, Any], part: Part, *, lent: bool
    ) -> bytes: ...


def _ignore(_: Any) -> None:
    """The call is over."""
