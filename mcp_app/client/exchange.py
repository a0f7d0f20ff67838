"""The requests of one call, and its response stream. How events are displayed, and the exit status, is not here.

The deadline is our own, not httpx's: httpx fixes a read timeout when the request starts, but the heartbeat interval is
known only from the stream's first event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from mcp_app.client import message as wire
from mcp_app.client.address import Address, event_route
from mcp_app.client.client import CONNECT_SECONDS, incoming, read_body
from mcp_app.client.deadline import Deadline
from mcp_app.client.display import Display
from mcp_app.client.failures import lost, not_json, not_ours, refused, silent, unreachable
from mcp_app.client.outcome import CallFailed, Status, status_of_last_event
from mcp_app.client.wire import plain
from mcp_app.client.wire.incoming import Incoming
from mcp_app.client.wire.outgoing import EVENT_STREAM, JSON, Outgoing
from mcp_app.client.wire.plain import ToolCall
from mcp_app.protocol.http.sse import OversizedEventError

# Seconds until a response begins, and for a whole one that is no stream: the server answers immediately, but a proxy
# may have to start it first.
_ANSWER_SECONDS = 30.0

# Missed heartbeats before the connection counts as lost, and the lower bound of that time in seconds: with heartbeats
# every 0.1 s, a busy machine is not a lost one.
_MISSED_HEARTBEATS = 3
_LEAST_SILENCE_SECONDS = 5.0

# Silence allowed when `started` announces no heartbeat: the longest stream that the tutorial allows, and a margin.
_UNPROMISED_SECONDS = 120.0
_MARGIN_SECONDS = 15.0

# After Ctrl-C, for the server to end the run and confirm it. Then the connection is closed, which ends the run too.
_CANCEL_SECONDS = 2.0

# After the last event, for the end of the stream, so that the server sees a client that read to the end.
_END_SECONDS = 1.0

# A detached run's stream that was cut is asked for again after this, as `retry: 1000` of our server says; so many
# attempts without a new event, and the server is gone.
_RETRY_SECONDS = 1.0
_ATTEMPTS = 5


class CallExchange:
    """One call over one client. Create it in a running event loop; await its methods inside `async with deadline`."""

    def __init__(self, client: httpx.AsyncClient, display: Display | None = None) -> None:
        self.deadline = Deadline()
        self._client = client
        self._display = display
        self._route: Address | None = None
        self._started = False
        self._run_id: str | None = None
        self._last_id = ""
        self._last: wire.ServerMessage | None = None
        self._cancelling: asyncio.Task[None] | None = None
        self._limit = _ANSWER_SECONDS
        self.confirmed = False
        """The server confirmed that it ended the run."""

    # --- before the call ---------------------------------------------------------------------------------------------

    async def find_route(self, address: Address) -> tuple[Address, float | None]:
        """The event route, and the server's cap in seconds if its manifest was read and contains it."""
        if not address.is_root:
            return address, None
        response, body = await self._get(address.manifest())
        if response.status_code != 200:
            raise refused(response, body)
        manifest = wire.parse_answer(body)
        if manifest is None:
            raise not_ours(response)
        return event_route(address, manifest), wire.max_stream_seconds(manifest)

    async def read_cap(self, address: Address) -> float | None:
        """The cap in the manifest of the host; None if there is none."""
        response, body = await self._get(address.of_host().manifest())
        return wire.max_stream_seconds(wire.parse_answer(body) or {}) if response.status_code == 200 else None

    async def read_schema(self, route: Address, tool: str) -> Mapping[str, Any] | None:
        """The tool's input schema; None if the server has no tools route or no such tool, which its answer will say."""
        response, body = await self._get(route.tools())
        return wire.input_schema(wire.parse_answer(body), tool) if response.status_code == 200 else None

    async def read_tools(self, route: Address) -> Mapping[str, Any]:
        """The answer of the tools route, whose `tools` is a list. Raises CallFailed for any other."""
        response, body = await self._get(route.tools())
        if response.status_code != 200:
            raise refused(response, body)
        answer = wire.parse_answer(body)
        if answer is None or not isinstance(answer.get("tools"), list):
            raise not_ours(response)
        return answer

    async def _get(self, address: Address) -> tuple[httpx.Response, bytes]:
        return await self._whole(address, plain.document_request(address))

    async def _whole(self, address: Address, request: Outgoing) -> tuple[httpx.Response, bytes]:
        """A response that is no stream, with its body."""
        self.deadline.extend(CONNECT_SECONDS + _ANSWER_SECONDS)
        try:
            async with self._send(address, request) as response:
                return response, await read_body(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreachable(address.at(request.path), error) from error

    def _send(self, address: Address, request: Outgoing) -> AbstractAsyncContextManager[httpx.Response]:
        """Send the request to the host of `address`, and no other."""
        url, headers = address.at(request.path), dict(request.headers)
        return self._client.stream(request.method, url, content=request.body or None, headers=headers)

    # --- the call ----------------------------------------------------------------------------------------------------

    async def ask(self, route: Address, call: ToolCall, cap_seconds: float | None) -> tuple[Mapping[str, Any], int]:
        """Call for one JSON object: (the object, the HTTP status). The deadline follows from `cap_seconds`."""
        cap = call.cap_seconds or cap_seconds or _UNPROMISED_SECONDS
        self._limit = CONNECT_SECONDS + cap + _MARGIN_SECONDS
        self.deadline.extend(self._limit)
        try:
            async with self._send(route, plain.call_request(route, call, JSON)) as response:
                if incoming(response).is_stream:
                    raise not_json(route.url)
                body = await read_body(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreachable(route.url, error) from error
        answer = wire.parse_answer(body)
        if response.status_code != 200 and wire.error_of(answer) is None:
            raise refused(response, body)
        if answer is None or (response.status_code == 200 and wire.message_of(answer) is None):
            raise not_ours(response)
        return answer, response.status_code

    async def follow(self, route: Address, call: ToolCall) -> Status:
        """Call for a stream and show its events. Raises CallFailed for every end but `complete`."""
        self._route = route
        self.deadline.extend(CONNECT_SECONDS + _ANSWER_SECONDS)
        try:
            async with self._send(route, plain.call_request(route, call)) as response:
                await self._read(response)
            if self._last is None:
                raise lost(self._run_id) if self._started else not_ours(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            if self._last is None:
                raise (lost(self._run_id) if self._started else unreachable(route.url, error)) from error
        except TimeoutError:
            if self._last is None:
                raise
        return self._end()

    async def detach(self, route: Address, call: ToolCall) -> Mapping[str, Any]:
        """Start a detached run and return its state, which has its `id`. Raises CallFailed."""
        response, body = await self._whole(route, plain.detach_request(route, call))
        if response.status_code not in (200, 202):
            raise refused(response, body)
        state = wire.parse_answer(body) or {}
        if not wire.is_run_id(state.get("id")):
            raise not_ours(response)
        return state

    async def follow_run(self, route: Address, run_id: str) -> Status:
        """Show the events of a detached run from its start. A stream that ends before the run, at its cap or because it
        was cut, is asked for again after the last event. Raises CallFailed for every end but `complete`."""
        in_vain = 0
        while self._last is None:
            after = self._last_id
            self.deadline.extend(CONNECT_SECONDS + _ANSWER_SECONDS)
            request = plain.follow_request(route, run_id, after)
            try:
                async with self._send(route, request) as response:
                    if response.status_code == 204 and after:
                        raise lost(run_id)
                    await self._read(response)
                if not self._started:
                    raise not_ours(response)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                if not self._started:
                    raise unreachable(route.at(request.path), error) from error
            if self._last is None:
                in_vain = in_vain + 1 if self._last_id == after else 0
                if in_vain == _ATTEMPTS:
                    raise lost(run_id)
                await asyncio.sleep(_RETRY_SECONDS)
        return self._end()

    async def _read(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            raise refused(response, await read_body(response))
        stream = incoming(response)
        if stream.media_type == JSON:
            self._take_answer(response, await read_body(response))
        elif stream.media_type == EVENT_STREAM:
            await self._read_stream(response, stream)
        else:
            raise not_ours(response)

    async def _read_stream(self, response: httpx.Response, stream: Incoming) -> None:
        async for chunk in response.aiter_bytes():
            before = stream.comments
            try:
                events = stream.feed(chunk)
            except OversizedEventError as error:
                raise CallFailed(Status.LOST, f"the stream is broken: {error}") from error
            for event in events:
                self._take(response, event.data)
                self._last_id = event.id
            if not events and stream.comments > before:
                self._shown().heartbeat()
            self._shown().flush()
            # After the output, not before it: time spent writing to a slow pipe is not silence of the server.
            self.deadline.extend(_END_SECONDS if self._last else self._limit)

    def _take_answer(self, response: httpx.Response, body: bytes) -> None:
        """Show the run from one JSON object, which a server sent instead of a stream."""
        messages = plain.answered(wire.parse_answer(body) or {})
        if not messages:
            raise not_ours(response)
        self._last = messages[-1]
        for message in messages:
            self._shown().show(message)
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
        """End the call: ask the server to end the run and to confirm it. Without a confirmation in time, or without a
        run id, the deadline ends the reading, and closing the client ends the run."""
        if self._run_id is None or self._route is None:
            self.deadline.leave(0)
            return
        self.deadline.leave(_CANCEL_SECONDS)
        self._shown().cancelling()
        request = plain.cancel_request(self._route, self._run_id)
        self._cancelling = asyncio.get_running_loop().create_task(self._delete(self._route.at(request.path)))

    async def _delete(self, url: str) -> None:
        try:
            response = await self._client.delete(url)
        except httpx.HTTPError:
            # Closing the stream ends the run, as with a server that has no such route.
            self.deadline.leave(0)
            return
        if response.is_error:
            self.deadline.leave(0)

    async def close(self) -> None:
        """Cancel the pending task and close the connections."""
        if self._cancelling is not None:
            self._cancelling.cancel()
            await asyncio.wait([self._cancelling])
        await self._client.aclose()

    def timed_out(self) -> CallFailed:
        """The error for an expired deadline when the user has not cancelled."""
        return silent(self._run_id, self._limit, started=self._started)
