"""Requests over a wire, in both directions, each with one response: what a tool asks in a process, and what for.

The bytes are somebody else's; which requests there are is a table that each side brings. On the event loop.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..protocol.event import encode
from ..protocol.packets import Packet, PacketError
from ..protocol.relay import KeptThere, PacketKind, check_size, failure, failure_of

Respond = Callable[[Any], Awaitable[Any]]
"""The response to a request, both JSON values, or `Json`. What it raises is raised where the request was made, if both
sides know it: `Declined`, `NoAnswer`, ValueError. Anything else is `KeptThere`."""

logger = logging.getLogger("mcp_app.runs")


class Json(NamedTuple):
    """A response that was encoded already."""

    data: bytes


class Dialogue:
    """The requests of one call. `send` sends a packet; `responses` are what the other side may request, by name."""

    def __init__(self, send: Callable[[Packet], None], responses: Mapping[str, Respond]) -> None:
        self._send = send
        self._responses = responses
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closed = False

    async def request(self, name: str, value: Any) -> Any:
        """Send a request and return its response.

        Raises what `failure_of` gives, EventTooLarge for a value that no packet can carry.
        """
        [waiting] = self.begin([(name, value)])
        return await self.response(waiting)

    def begin(self, requests: Sequence[tuple[str, Any]]) -> list[asyncio.Future[Any]]:
        """Send requests that arrive in the same instant. `response` must be called with each future.

        Once it is closed they are not sent: the other side may be in another call. Who waits for them is cancelled.
        """
        numbered = [(next(self._numbers), name, value) for name, value in requests]
        body = encode(numbered)
        check_size("What is asked", len(body))
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in numbered]
        if self._closed:
            for future in futures:
                future.cancel()
            return futures
        self._open.update(zip((number for number, _, _ in numbered), futures, strict=True))
        self._send(Packet(PacketKind.REQUESTS, {}, body))
        return futures

    async def response(self, waiting: asyncio.Future[Any]) -> Any:
        """The response of a request that was begun. Whoever is cancelled here withdraws it."""
        try:
            return await waiting
        except asyncio.CancelledError:
            if (number := self._number(waiting)) is not None:
                del self._open[number]
                self._send(Packet(PacketKind.WITHDRAWN, {"id": number}))
            raise

    async def withdraw(self, waiting: asyncio.Future[Any]) -> None:
        """Withdraw a request, and wait until the other side has ended what it did for it."""
        if (number := self._number(waiting)) is not None:
            self._send(Packet(PacketKind.WITHDRAWN, {"id": number}))
            await asyncio.wait({waiting})

    def receive(self, packet: Packet) -> None:
        """A packet of the other side's. Raises PacketError for one that is not of a dialogue."""
        match packet.kind:
            case PacketKind.REQUESTS:
                self._receive_requests(packet.value())
            case PacketKind.RESPONSE:
                waiting = self._open.pop(packet.number("id"), None)
                if waiting is not None and not waiting.done():
                    self._settle(waiting, packet.value())
            case PacketKind.WITHDRAWN:
                if (task := self._tasks.get(packet.number("id"))) is not None:
                    task.cancel()
            case _:
                raise PacketError(f"a packet {packet.kind!r} in the middle of a call")

    def close(self) -> None:
        """Nothing is requested any more: what is being worked on is cancelled, and who waits as well. Idempotent: a
        second cancellation would cut what the first has ended."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        for future in self._open.values():
            future.cancel()
        self._open.clear()

    def _number(self, waiting: asyncio.Future[Any]) -> int | None:
        return next((number for number, future in self._open.items() if future is waiting), None)

    def _receive_requests(self, requests: Any) -> None:
        if self._closed:
            return
        for each in requests if isinstance(requests, list) else [None]:
            match each:
                case [int(number), str(name), value] if name in self._responses and number not in self._tasks:
                    task = asyncio.create_task(self._respond(number, name, value), name=f"request {name}")
                    self._tasks[number] = task
                    task.add_done_callback(functools.partial(self._forget, number))
                case _:
                    raise PacketError("a request that is none")

    def _forget(self, number: int, task: asyncio.Task[None]) -> None:
        del self._tasks[number]
        if task.cancelled():  # perhaps before it began, if the request was withdrawn in the read that it came with
            self._respond_with(number, encode(failure(KeptThere())))

    async def _respond(self, number: int, name: str, value: Any) -> None:
        try:
            response = await self._responses[name](value)
            body = b'{"value":%b}' % (response.data if type(response) is Json else encode(response))
            check_size("A response", len(body))
        except Exception as error:
            ended = failure(error)
            if ended["failed"] == "kept" and not isinstance(error, KeptThere):
                logger.exception("a request %r of a tool failed", name)
            body = encode(ended)
        self._respond_with(number, body)

    def _respond_with(self, number: int, body: bytes) -> None:
        if not self._closed:  # the other side may be in another call
            self._send(Packet(PacketKind.RESPONSE, {"id": number}, body))

    def _settle(self, waiting: asyncio.Future[Any], sent: Any) -> None:
        if isinstance(sent, dict) and "value" in sent:
            waiting.set_result(sent["value"])
        else:
            waiting.set_exception(failure_of(sent))
            waiting.exception()  # who asked may have gone
