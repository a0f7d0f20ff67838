"""A call under test: its events as they come, its result, and the moves of its client. Nothing is sent here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any

from mcp_app.client.wire.conversation import Conversation
from mcp_app.client.wire.run_events import CompleteEvent, ErrorEvent, RunEvent, StartedEvent, TaskEvent
from mcp_app.testing.connection import ServerConnection
from mcp_app.testing.driver import CallDriver
from mcp_app.testing.options import CallOptions

Wanted = str | type[RunEvent] | Callable[[RunEvent], bool]
"""An event by its type, by its class, or by what is true for it."""


class ClientRun:
    """One call, which has begun. Iterate over it for its events, `await` it for its result; both as often as you like.

    `await run` raises what ended the run: an error of `mcp_app.errors`, or a ToolError of the author's own class where
    the wire has its code. It raises `Left` after `leave`, RunCut where the response ended without a last event, and
    NothingCame when nothing came for `patience` seconds.
    """

    def __init__(
        self,
        connection: ServerConnection,
        options: CallOptions,
        name: str,
        make: Callable[[], Awaitable[Conversation]],
    ) -> None:
        self.name = name
        self._connection = connection
        self._driver = CallDriver(connection, options, name, self, make)

    def __repr__(self) -> str:
        state = "ended" if self.ended else "disconnected" if self._driver.cut else "working"
        return f"<{type(self).__name__} {self.name}, {state}, {len(self.events)} events>"

    # --- what came ---------------------------------------------------------------------------------------------------

    @property
    def events(self) -> Sequence[RunEvent]:
        """What came so far."""
        return self._driver.events

    @property
    def heartbeats(self) -> int:
        """How many heartbeats came so far."""
        return self._driver.heartbeats

    @property
    def ended(self) -> bool:
        """Whether the last event came, or nothing can come any more."""
        return self._driver.ended

    @property
    def error(self) -> BaseException | None:
        """What `await run` raises; None before the end, and if it returns something."""
        last = self.events[-1] if self.events else None
        return self._driver.failure or (last.error if isinstance(last, ErrorEvent) else None)

    @property
    def result(self) -> Any:
        """What `await run` returns or raises. Raises RuntimeError before the end."""
        return self._complete.data

    @property
    def content(self) -> Sequence[Mapping[str, Any]]:
        """The content blocks of the result. Raises as `result`."""
        return self._complete.content

    @property
    def text(self) -> str:
        """The texts of the result's content. Raises as `result`."""
        return self._complete.text

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was sent beside the result: `metadata`, or MCP's `_meta`. Raises as `result`."""
        return self._complete.metadata

    @property
    def _complete(self) -> CompleteEvent:
        if not self.ended:
            raise RuntimeError(f"{self.name} has not ended: `await run` waits for its result")
        if (error := self.error) is not None:
            raise error
        last = self.events[-1]
        assert isinstance(last, CompleteEvent)  # noqa: S101 - there is a last event, or an error
        return last

    @property
    def id(self) -> str | None:
        """The run's id on the server, once the plain dialect has said it."""
        started = next((each for each in self.events if isinstance(each, StartedEvent)), None)
        return None if started is None else started.run

    @property
    def task(self) -> str | None:
        """The task that the call has become, if it has."""
        return next((each.task for each in self.events if isinstance(each, TaskEvent)), None)

    @property
    def log(self) -> str:
        """What was logged on account of this call: by the server, the tool, and what they call, also in threads."""
        return self._connection.log.text(self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        self._driver.want()
        await self._driver.until(lambda: self.ended, "its end")
        return self.result

    async def __aiter__(self) -> AsyncIterator[RunEvent]:
        """The events from the first one on. Ends with the last one; raises what `await run` raises only if there is
        none."""
        position = 0
        while (event := await self._event_at(position)) is not None:
            position += 1
            yield event
        if self._driver.failure is not None:
            raise self._driver.failure

    async def until(self, wanted: Wanted) -> RunEvent:
        """The first event of that type, of that class, or for which the function is true: one that came, or that is
        waited for. Raises AssertionError if the run ends without."""
        position = 0
        while (event := await self._event_at(position)) is not None:
            position += 1
            if _is(event, wanted):
                return event
        came = ", ".join(each.type for each in self.events) or "nothing"
        raise AssertionError(f"{self.name} ended without {wanted!r}; there came {came}") from self.error

    async def next(self) -> RunEvent | None:
        """The next event that did not come yet; None at the end.

        With `reads="on_demand"` the server can write as much as that needs, and no more: what came in one write comes
        at once, and is among `events`.
        """
        return await self._event_at(len(self.events))

    async def _event_at(self, position: int) -> RunEvent | None:
        events = self._driver.events
        if len(events) <= position and not self.ended:
            self._driver.want(position + 1)
            await self._driver.until(lambda: len(events) > position or self.ended, "an event")
        return events[position] if len(events) > position else None

    # --- what its client does ----------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """Go away for good, and wait until the server is done with the request. `await run` raises `Left` then."""
        await self._driver.leave()

    async def disconnect(self) -> None:
        """Cut the connection, as a network does. What that means to the run is the dialect's: `reconnect` comes back
        where it can be come back to."""
        if self.ended:
            raise RuntimeError(f"{self.name} has ended: there is no connection to cut")
        await self._driver.disconnect()

    async def reconnect(self) -> None:
        """Come back after `disconnect`, with the id of the last event that came. Raises RunCut where that cannot be."""
        if not self._driver.cut:
            raise RuntimeError(f"{self.name} is not disconnected")
        self._driver.reconnect()

    async def cancel(self) -> None:
        """Cancel the call as its dialect does: by DELETE of the run, `notifications/cancelled`, `tasks/cancel`, or by
        closing the stream where that is all there is."""
        conversation = self._driver.conversation
        request = None if conversation is None else conversation.cancel()
        if request is None:
            await self._driver.leave()
        else:
            await self._driver.send(request)


def _is(event: RunEvent, wanted: Wanted) -> bool:
    if isinstance(wanted, str):
        return event.type == wanted
    return isinstance(event, wanted) if isinstance(wanted, type) else wanted(event)
