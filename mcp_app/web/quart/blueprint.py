"""The blueprint: Quart's requests become ours, our answers Quart's responses.

One view for every route: the body is read to its end before anything is answered (an answer that overtakes its
request's body has cost HTTP/2 connections their other streams), and `respond` does the rest. Nothing of the application
that it is registered in is changed, and no policy may be in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from quart import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from ...protocol.errors import BodyTooLarge, McpAppError
from ..asgi import answer as sending
from ..asgi.body import IncomingBody, too_large, too_late
from ..asgi.scope import headers_in, path_in, request_in, says_length
from ..frames import Frames
from ..messages import Answer, Respond
from .connection import FRAMES

NAME = "mcp_app"
"""Of the blueprint; its routes' endpoints begin with it and a dot."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

View = Callable[..., Awaitable[Response]]


class OurPaths:
    """Those of the table of routes, with or without a slash at the end. A template's are all that begin like it."""

    def __init__(self, paths: Iterable[str]) -> None:
        known = set(paths)
        self._begun = tuple({path.partition("<")[0] for path in known if "<" in path})
        self._exact = frozenset(path for path in known if "<" not in path)

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._begun) or path.rstrip("/") in self._exact


def blueprint(paths: Iterable[str], view: View) -> Blueprint:
    """All routes, each answered by `view`."""
    routes = Blueprint(NAME, __name__)
    for number, path in enumerate(paths):
        routes.add_url_rule(
            path,
            endpoint=f"route_{number}",
            view_func=view,
            methods=METHODS,
            provide_automatic_options=False,
            strict_slashes=False,
        )
    return routes


def view_of(respond: Callable[[], Respond]) -> View:
    """The view; `respond` gives the running server's function, and raises when there is none."""

    async def view(**_: Any) -> Response:
        scope = cast(dict[str, Any], request.scope)
        headers = headers_in(scope)
        answering = respond()
        body, unread = await _read(headers)
        answer = await answering(request_in(scope, path_in(scope), headers, body), unread)
        return _response(answer, scope)

    return view


async def _read(headers: Mapping[str, str]) -> tuple[bytes, McpAppError | None]:
    """The body, or why it could not be read. Not by `get_data`: Quart 0.23 looks at the size of what comes without a
    Content-Length only when all of it is there."""
    body = IncomingBody(request.max_content_length)
    try:
        body.announce(headers)
        async with asyncio.timeout(request.body_timeout):
            async for part in request.body:
                body.add(part)
    except (BodyTooLarge, RequestEntityTooLarge):
        return b"", too_large()
    except TimeoutError:
        return b"", too_late()
    return b"".join(body.parts), None


def _response(answer: Answer, scope: dict[str, Any]) -> Response:
    response = Response(answer.body, status=answer.status)
    if isinstance(answer.body, Frames):
        # The server type's promise is only that a body is iterated when there is somebody to iterate it for.
        scope[FRAMES] = answer.body
        response.timeout = answer.body.seconds_left + sending.BACKSTOP_SECONDS
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    if says_length(answer, scope["method"]):
        response.headers["Content-Length"] = str(len(cast(bytes, answer.body)))
    return response
