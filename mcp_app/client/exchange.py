"""The requests of one call, and the stream that answers. What is shown, and how the process ends, is not here.

The deadline is ours and not httpx's: a read timeout is fixed when a request starts, while how long silence is normal is
said by the stream's first event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from mcp_app.client import message as wire
from mcp_app.client.address import Address, event_route
from mcp_app.client.client import CONNECT_SECONDS, Request, content_type, whole_body
from mcp_app.client.deadline import Deadline
from mcp_app.client.display import Display
from mcp_app.client.failures import lost, not_json, not_ours, refused, silent, unreachable
from mcp_app.client.outcome import CallFailed, Status, status_of_last_event
from mcp_app.protocol.http.sse import Decoder, OversizedEventError

# Seconds until an answer begins, and for one that is no stream: the server answers at once, a proxy may have to wake
# it first.
_ANSWER_SECONDS = 30.0

# Heartbeats that may be missing before the server counts as lost, and the least that this comes to, in seconds: with
# heartbeats of 0.1 s, a busy machine is not a lost one.
_MISSED_HEARTBEATS = 3
_LEAST_SILENCE_SECONDS = 5.0

# Silence allowed where `started` promises no heartbeat: the longest stream that the tutorial allows, and a margin.
_UNPROMISED_SECONDS = 120.0
_MARGIN_SECONDS = 15.0

# After Ctrl-C: for the server to end the run and say so, before the connection is closed, which ends it too.
_CANCEL_SECONDS = 2.0

# After the last event: for the end of the stream, so that the server sees a reader that stayed to the end.
_END_SECONDS = 1.0


class Exchange:
    """One call over one client. Create it in a running loop; `async with deadline` around what is awaited."""

    def __init__(self, client: httpx.AsyncClient, display: Display | None = None) -> None:
        self.deadline = Deadline()
        self._client = client
        self._display = display
        self._route: Address | None = None
        self._started = False
        self._run_id: str | None = None
        self._last: wire.Message | None = None
        self._cancelling: asyncio.Task[None] | None = None
        self._limit = _ANSWER_SECONDS
        self.confirmed = False
        """The server said that it ended the run."""

    # --- before the call ---------------------------------------------------------------------------------------------

    async def find_route(self, address: Address) -> tuple[Address, float | None]:
        """The event route, and the server's cap in seconds if its manifest had to be read and says so."""
        if not address.is_root:
            return address, None
        url = address.manifest().url
        response, body = await self._get(url)
        if response.status_code != 200:
            raise refused(response, body)
        manifest = wire.parse_answer(body)
        if manifest is None:
            raise not_ours(response)
        return event_route(address, manifest), wire.max_stream_seconds(manifest)

    async def read_cap(self, address: Address) -> float | None:
        """The cap that the manifest of the host names, None when there is none to be read."""
        response, body = await self._get(f"{address.root}mcp.json")
        return wire.max_stream_seconds(wire.parse_answer(body) or {}) if response.status_code == 200 else None

    async def read_schema(self, route: Address, tool: str) -> Mapping[str, Any] | None:
        """The tool's input schema, None when the server has no tools route or not this tool: it will say so itself."""
        response, body = await self._get(route.tools().url)
        return wire.input_schema(wire.parse_answer(body), tool) if response.status_code == 200 else None

    async def _get(self, url: str) -> tuple[httpx.Response, bytes]:
        self.deadline.extend(CONNECT_SECONDS + _ANSWER_SECONDS)
        try:
            async with self._client.stream("GET", url, headers={"Accept": "application/json"}) as response:
                return response, await whole_body(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreachable(url, error) from error

    # --- the call ----------------------------------------------------------------------------------------------------

    async def ask(self, route: Address, request: Request, cap_seconds: float | None) -> tuple[Mapping[str, Any], int]:
        """The call as one JSON object, with the HTTP status it came with. `cap_seconds` is when it must be there."""
        cap = request.cap_seconds or cap_seconds or _UNPROMISED_SECONDS
        self._limit = CONNECT_SECONDS + cap + _MARGIN_SECONDS
        self.deadline.extend(self._limit)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            async with self._client.stream("POST", route.url, content=request.body(), headers=headers) as response:
                if response.status_code == 200 and content_type(response) == "text/event-stream":
                    raise not_json(route.url)
                body = await whole_body(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreachable(route.url, error) from error
        answer = wire.parse_answer(body)
        if response.status_code != 200 and wire.error_of(answer) is None:
            raise refused(response, body)
        if answer is None or (response.status_code == 200 and wire.message_of(answer) is None):
            raise not_ours(response)
        return answer, response.status_code

    async def follow(self, route: Address, request: Request) -> Status:
        """The call as a stream, shown as it comes. Raises CallFailed for every end but `complete`."""
        self._route = route
        self.deadline.extend(CONNECT_SECONDS + _ANSWER_SECONDS)
        headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
        try:
            async with self._client.stream("POST", route.url, content=request.body(), headers=headers) as response:
                await self._read(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            if self._last is None:
                raise (lost(self._run_id) if self._started else unreachable(route.url, error)) from error
        except TimeoutError:
            if self._last is None:
                raise
        return self._end()

    async def _read(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            raise refused(response, await whole_body(response))
        if content_type(response) == "application/json":
            self._take_answer(response, await whole_body(response))
        elif content_type(response) == "text/event-stream":
            await self._read_stream(response)
        else:
            raise not_ours(response)

    async def _read_stream(self, response: httpx.Response) -> None:
        decoder = Decoder()
        async for chunk in response.aiter_bytes():
            before = decoder.comments
            try:
                events = decoder.feed(chunk)
            except OversizedEventError as error:
                raise CallFailed(Status.LOST, f"the stream is broken: {error}") from error
            for event in events:
                self._take(response, event.data)
            if not events and decoder.comments > before:
                self._shown().heartbeat()
            self._shown().flush()
            # After the work, not before it: what was spent in writing to a slow pipe is not the server's silence.
            self.deadline.extend(_END_SECONDS if self._last else self._limit)
        if self._last is None:
            raise lost(self._run_id) if self._started else not_ours(response)

    def _take_answer(self, response: httpx.Response, body: bytes) -> None:
        """The whole run in one object, from a server that would not stream."""
        answer = wire.parse_answer(body) or {}
        last = wire.message_of(answer)
        if last is None or not last.is_last:
            raise not_ours(response)
        progress = answer.get("progress")
        for content in progress if isinstance(progress, list) else []:
            if (message := wire.message_of(content)) is not None:
                self._shown().show(message)
        self._last = last
        self._shown().show(last)
        self._shown().flush()

    def _take(self, response: httpx.Response, data: str) -> None:
        message = wire.parse_message(data)
        if message is None:
            raise not_ours(response, data)
        if self._last is not None:
            return
        if message.type == "heartbeat":
            self._shown().heartbeat()
            return
        if message.type == "started":
            self._started = True
            self._run_id = message.run_id
            heartbeat = message.number("heartbeat_seconds")
            self._limit = (
                _UNPROMISED_SECONDS + _MARGIN_SECONDS
                if heartbeat is None
                else max(_MISSED_HEARTBEATS * heartbeat, _LEAST_SILENCE_SECONDS)
            )
        self._last = message if message.is_last else None
        self._shown().show(message)

    def _end(self) -> Status:
        last = self._last
        if last is None or last.type == "complete":
            return Status.DONE
        error = last.error
        if self.deadline.leaving and error.code == "cancelled":
            self.confirmed = True
        raise CallFailed(status_of_last_event(error.code), f"{error.code}: {error.message}", error.hint)

    def _shown(self) -> Display:
        if self._display is None:
            raise RuntimeError("a stream is followed with a display")
        return self._display

    # --- giving up ---------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ends the call. The server is asked to end the run and to say so; without an answer in time, or without a run
        id to name, the deadline ends the reading, and closing the client ends the run."""
        if self._run_id is None or self._route is None:
            self.deadline.leave(0)
            return
        self.deadline.leave(_CANCEL_SECONDS)
        self._shown().cancelling()
        self._cancelling = asyncio.get_running_loop().create_task(self._delete(self._route.run(self._run_id).url))

    async def _delete(self, url: str) -> None:
        try:
            response = await self._client.delete(url)
        except httpx.HTTPError:
            # The stream's end does it: the same as for a server that has no such route.
            self.deadline.leave(0)
            return
        if response.is_error:
            self.deadline.leave(0)

    async def close(self) -> None:
        """Nothing of the exchange is left when it returns, and the connections are closed."""
        if self._cancelling is not None:
            self._cancelling.cancel()
            await asyncio.wait([self._cancelling])
        await self._client.aclose()

    def timed_out(self) -> CallFailed:
        """What the deadline's TimeoutError means, when nobody cancelled."""
        return silent(self._run_id, self._limit, started=self._started)
