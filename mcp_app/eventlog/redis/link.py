"""One connection to one server, shared by everything of this process that asks that server.

Commands are written as they come and answered in their order, so hundreds of runs need one socket and no pool, and what
is asked in one turn of the event loop goes out in one write. An answer belongs to its place in the order, not to who
waits: a caller may be cancelled, and nobody gets another's answer. What a command means, and what is done once the
connection is lost, is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from .faults import LOSSES, Lost, reason

ANSWER_SECONDS = 5.0
"""After which a server that does not answer is taken for lost: a script here takes a millisecond, a WAIT one second."""

QUEUED_BYTES = 64 * 1024 * 1024
"""What may wait to be written. A server that takes nothing fails new commands before this process holds much for it."""

Argument = bytes | str | int
Push = Callable[[list[Any]], None]


class Link:
    """A connected `connection`, until it is lost; then it is never used again.

    `on_push` gets what a server says unasked: messages of subscriptions, and ends of some. `on_lost` is called once.
    """

    def __init__(
        self, connection: AbstractConnection, on_push: Push | None = None, on_lost: Callable[[], None] | None = None
    ) -> None:
        self.lost: Lost | None = None
        self._connection = connection
        self._on_push, self._on_lost = on_push, on_lost
        self._loop = asyncio.get_running_loop()
        self._pending: deque[tuple[asyncio.Future[Any], float, tuple[Argument, ...]]] = deque()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._has_out = asyncio.Event()
        self._overdue: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = [asyncio.create_task(each()) for each in (self._write, self._read)]

    def send(self, *command: Argument) -> asyncio.Future[Any]:
        """The answer of the server, or its error. Commands sent one after the other are executed in this order. Raises
        Lost at once or later: the command may have been done."""
        if self.lost is not None:
            raise self.lost
        if self._out_bytes > QUEUED_BYTES:
            raise Lost("it takes nothing more")
        packed = self._connection.pack_command(*command)
        self._out += packed
        self._out_bytes += sum(map(len, packed))
        self._has_out.set()
        future: asyncio.Future[Any] = self._loop.create_future()
        kept = () if self._on_push is None else command  # which may be large
        self._pending.append((future, self._loop.time() + ANSWER_SECONDS, kept))
        if self._timer is None:
            self._timer = self._loop.call_later(ANSWER_SECONDS, self._look)
        return future

    async def close(self) -> None:
        self.lose("it was closed")
        await asyncio.wait(self._tasks)

    def lose(self, why: str) -> None:
        """Give the connection up: everything that waits for an answer raises Lost."""
        if self.lost is not None:
            return
        self.lost = Lost(why)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for future, _, _ in self._pending:
            if not future.done():
                future.set_exception(Lost(why))
                future.exception()  # who asked may be gone: no complaint about an exception that nobody reads
        self._pending.clear()
        self._out.clear()
        if self._on_lost is not None:
            self._on_lost()

    async def _write(self) -> None:
        try:
            while True:
                await self._has_out.wait()
                self._has_out.clear()
                out, self._out = self._out, []
                await self._connection.send_packed_command(out, check_health=False)
                self._out_bytes = sum(map(len, self._out))
        except LOSSES as error:
            self.lose(reason(error))

    async def _read(self) -> None:
        connection = self._connection
        try:
            while True:
                answer: Any
                try:
                    answer = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
                except ResponseError as error:
                    answer = error
                if self._on_push is not None and self._unasked(answer):
                    self._on_push(answer)
                    continue
                if not self._pending:
                    self.lose(f"it said {reason(answer) if isinstance(answer, Exception) else 'something'} unasked")
                    return
                future = self._pending.popleft()[0]
                if future.done():
                    pass  # who asked was cancelled
                elif isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except LOSSES as error:
            self.lose(reason(error))
        finally:
            await connection.disconnect(nowait=True)

    def _unasked(self, answer: Any) -> bool:
        """Whether it is no answer, but a message of a subscription, or the end of one whose slot has moved."""
        if type(answer) is not list or not answer:
            return False
        if answer[0] == b"sunsubscribe":
            return not self._pending or self._pending[0][2] != ("SUNSUBSCRIBE", answer[1])
        return bool(answer[0] == b"smessage")

    def _look(self) -> None:
        """Whether the oldest command is overdue. It is looked at twice: where a tool has held the loop, the answer has
        come, but was not read yet."""
        self._timer = None
        if not self._pending:
            self._overdue = None
            return
        future, deadline, _ = self._pending[0]
        left = deadline - self._loop.time()
        if left > 0:
            self._overdue = None
        elif self._overdue is future:
            self.lose(f"it has not answered for {ANSWER_SECONDS:g} seconds")
            return
        else:
            self._overdue, left = future, 0.1
        self._timer = self._loop.call_later(left, self._look)
