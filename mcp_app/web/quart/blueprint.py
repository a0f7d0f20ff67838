"""The blueprint: converts Quart's requests to ours, and our answers to Quart's responses.

One view for every route: it reads the whole body before it answers (an answer that overtakes its request's body has
cost HTTP/2 connections their other streams), and calls `respond`. The application that registers the blueprint is not
changed, and no policy may be in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from quart import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from ...protocol.errors import BodyTooLarge, McpAppError
from ..asgi import answer as response_limits
from ..asgi.body import IncomingBody, too_large, too_late
from ..asgi.scope import build_request, has_content_length, request_headers, request_path
from ..frames import Frames
from ..messages import Answer, Respond
from .connection import FRAMES

NAME = "mcp_app"
"""The blueprint's name, and with a dot the prefix of its endpoints."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

View = Callable[..., Awaitable[Response]]


class RoutePaths:
    """The paths of our routes, with or without a trailing slash. A template contains all paths that start with its
    literal prefix."""

    def __init__(self, paths: Iterable[str]) -> None:
        known = set(paths)
        self._prefixes = tuple({path.partition("<")[0] for path in known if "<" in path})
        self._exact = frozenset(path for path in known if "<" not in path)

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes) or path.rstrip("/") in self._exact


def blueprint(paths: Iterable[str], view: View) -> Blueprint:
    """A blueprint of all routes, each with `view`."""
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


def make_view(respond: Callable[[], Respond]) -> View:
    """The view; `respond` returns the running server's function, and raises if no server is running."""

    async def view(**_: Any) -> Response:
        scope = cast(dict[str, Any], request.scope)
        headers = request_headers(scope)
        answering = respond()
        body, unread = await _read_body(headers)
        answer = await answering(build_request(scope, request_path(scope), headers, body), unread)
        return _response(answer, scope)

    return view


async def _read_body(headers: Mapping[str, str]) -> tuple[bytes, McpAppError | None]:
    """The body, and the error if it could not be read. Not by `get_data`: without a Content-Length, Quart 0.23 checks
    the size only once the whole body has been received."""
    body = IncomingBody(request.max_content_length)
    try:
        body.check_content_length(headers)
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
        # Quart may never iterate the body, if its client is gone; the connection closes the frames then.
        scope[FRAMES] = answer.body
        response.timeout = answer.body.seconds_left + response_limits.BACKSTOP_SECONDS
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    if has_content_length(answer, scope["method"]):
        response.headers["Content-Length"] = str(len(cast(bytes, answer.body)))
    return response
