"""The fast lane: the same `endpoint.answer` as the blueprint's view, without Quart's way to it, which costs more.

It is taken only where Quart would have come to that view and nothing else of it would have run. Quart would have run:
functions before, after and at the end of a request and of an application context, URL processors, error handlers,
receivers of its signals, a session (with a SECRET_KEY), and every method or class that somebody put in the place of
Quart's own. With any of these, another rule or view beside ours, a root path or a test client that keeps the context,
the request goes Quart's way; so does every request while the application is not served. Middleware around `asgi_app`
is outside of both.

One thing differs, and it is not on the wire: in a tool there is no `quart.request` or `current_app`. Routes, Host,
Origin and limits are the endpoint's. No policy may be in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
from quart import signals
from werkzeug.sansio.utils import get_content_length

from ...endpoint import Endpoint
from ...protocol.errors import McpAppError
from ..frames import Frames
from ..messages import Answer, Request
from ..quart import blueprint as routes
from .body import IncomingBody
from .leaving import QUEUE, Leaving, Queue
from .scope import headers_in, request_in, says_length

if TYPE_CHECKING:
    from ..quart.application import Application

_SIGNALS = (
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.got_request_exception,
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
)

_WAY_TO_THE_VIEW = frozenset(
    {
        *("asgi_http_class", "request_class", "response_class", "session_interface", "app_ctx_globals_class"),
        *("handle_request", "full_dispatch_request", "preprocess_request", "dispatch_request", "finalize_request"),
        *("make_response", "process_response", "do_teardown_request", "do_teardown_appcontext", "ensure_async"),
        *("request_context", "app_context", "create_url_adapter", "handle_exception", "handle_user_exception"),
        *("handle_http_exception", "log_exception", "raise_routing_exception", "trap_http_exception"),
    }
)
"""What Quart calls on the application for one request: an attribute of the instance in its place is somebody's own."""

_HEADS = 256
_HEAD_CHARS = 1024
"""Heads of answers that are kept encoded, and how long the values of one may be: nearly all answers have one of a dozen
short ones, and what a stranger's preflight is answered with is not kept."""


BODY_FOLLOWS = "mcp_app.body_follows"
"""Said to a server that knows it: server/engine/streams.py. Others pass over what they do not know."""


class FastLane:
    """Of one application, made when all of its own routes are there. `endpoint` gives the running server's."""

    def __init__(self, app: Application, endpoint: Callable[[], Endpoint | None]) -> None:
        self._app = app
        self._endpoint = endpoint
        self._views = dict(app.view_functions)
        self._additions = app.url_map.additions

    def takes(self, scope: Mapping[str, Any]) -> bool:
        """Whether Quart would have run our view for this request, and nothing else that anybody could notice."""
        app = self._app
        return (
            self._endpoint() is not None
            and not scope.get("root_path")
            and "_quart._preserve_context" not in scope
            and vars(app).keys().isdisjoint(_WAY_TO_THE_VIEW)
            and not app.config["SECRET_KEY"]
            and not any(signal.receivers for signal in _SIGNALS)
            and not _is_hooked(app)
            and app.view_functions == self._views
            and app.url_map.additions == self._additions
        )

    async def answer(
        self, scope: Mapping[str, Any], path: str, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one request in the task that this is called in. `path` begins with a slash."""
        queue: Queue | None = scope.get("extensions", {}).get(QUEUE)
        asked, unread = await self._asked(scope, path, queue, receive)
        if asked is None:
            return  # the client left before it had said what it wants
        endpoint = self._endpoint()
        assert endpoint is not None  # noqa: S101 - `takes` has said so
        async with Leaving(receive, queue, at_once=unread is not None) as leaving:
            answer = await endpoint.answer(asked, unread)
            del asked  # a stream lives longer than what it was asked for with
            await self._send(answer, scope["method"], send, leaving)

    async def _asked(
        self, scope: Mapping[str, Any], path: str, queue: Queue | None, receive: ASGIReceiveCallable
    ) -> tuple[Request | None, McpAppError | None]:
        """The request, or None when the client left before its end; and why its body could not be read."""
        headers = headers_in(scope)
        body = IncomingBody(self._app.config["MAX_CONTENT_LENGTH"])
        unread: McpAppError | None = None
        try:
            body.announce(get_content_length(headers.get("content-length"), headers.get("transfer-encoding")))
            while queue is not None and not body.whole and (message := queue.ready()) is not None:
                body.take(message)
            if not body.whole:
                async with asyncio.timeout(self._app.config["BODY_TIMEOUT"]):
                    while not body.whole:
                        body.take(await receive())
        except TimeoutError:
            unread = routes.too_late()
        except McpAppError as error:
            unread = error
        if body.given_up:
            return None, None
        return request_in(scope, path, headers, b"" if unread else b"".join(body.parts)), unread

    async def _send(self, answer: Answer, method: str, send: ASGISendCallable, leaving: Leaving) -> None:
        body = answer.body
        if isinstance(body, Frames):
            try:
                leaving.end_after(body.seconds_left + routes.BACKSTOP_SECONDS)
                await send(_start(answer, method))
                async for chunk in body:
                    if body.over:
                        leaving.last_word()
                    await send(_part(chunk, more=not body.over))
                if not body.over:  # it stopped without a last event
                    leaving.last_word()
                    await send(_part(b"", more=False))
            finally:
                body.close()
        else:
            leaving.end_after(self._app.config["RESPONSE_TIMEOUT"])
            await send(_start(answer, method))
            leaving.last_word()
            await send(_part(body, more=False))


def _is_hooked(app: Application) -> bool:
    return (
        any(app.before_request_funcs.values())
        or any(app.after_request_funcs.values())
        or any(app.teardown_request_funcs.values())
        or any(app.url_value_preprocessors.values())
        or bool(app.teardown_appcontext_funcs)
        or any(any(of_code.values()) for of_code in app.error_handler_spec.values())
    )


def _start(answer: Answer, method: str) -> ASGISendEvent:
    fields = answer.headers
    short = sum(len(value) for _, value in fields) <= _HEAD_CHARS
    head = _kept_encoded(fields) if short else _encoded(fields)
    if says_length(answer, method):
        head = (*head, (b"content-length", b"%d" % len(cast(bytes, answer.body))))
    start: dict[str, Any] = {"type": "http.response.start", "status": answer.status, "headers": head, "trailers": False}
    start[BODY_FOLLOWS] = True
    return cast(ASGISendEvent, start)


def _part(body: bytes, *, more: bool) -> ASGISendEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _encoded(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """As ASGI has them. Raises ValueError for what would be another field, as werkzeug does for Quart."""
    if any("\r" in value or "\n" in value for _, value in headers):
        raise ValueError("a header field's value has a line break in it")
    return tuple((name.lower().encode(), value.encode()) for name, value in headers)


_kept_encoded = lru_cache(maxsize=_HEADS)(_encoded)
