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

from ...protocol.errors import BodyTooLarge, McpAppError, Overloaded
from ..asgi import answer as response_limits
from ..asgi.application import Limits
from ..asgi.body import IncomingBody, too_large, too_late
from ..asgi.scope import build_request, has_content_length, note_client, request_headers, request_path
from ..frames import Frames
from ..messages import Answer, Respond

NAME = "mcp_app"
"""The blueprint's name, and with a dot the prefix of its endpoints."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

View = Callable[..., Awaitable[Response]]

RespondTo = Callable[[Mapping[str, Any]], Respond]
"""The running server's function for an ASGI scope."""


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
    """A blueprint of all routes, each with `view`: those of an application that is ours."""
    routes = Blueprint(NAME, __name__)
    for number, path in enumerate(paths):
        _add(routes, number, path, view)
    return routes


def hosted_blueprint(
    paths: Iterable[str],
    respond: RespondTo,
    startup: Callable[[], Awaitable[None]],
    shutdown: Callable[[], Awaitable[None]],
) -> Blueprint:
    """A blueprint of all routes for somebody else's application, below any prefix. It starts and stops with that."""
    routes = Blueprint(NAME, __name__)
    for number, path in enumerate(paths):
        _add(routes, number, path, _hosted_view(respond, path))
    routes.before_app_serving(startup)
    routes.after_app_serving(shutdown)
    return routes


def _add(routes: Blueprint, number: int, path: str, view: View) -> None:
    routes.add_url_rule(
        path,
        endpoint=f"route_{number}",
        view_func=view,
        methods=METHODS,
        provide_automatic_options=False,
        # The page's own links are relative: without the slash they would lead out of the prefix.
        strict_slashes=path == "/",
    )


def make_view(respond: Callable[[], Respond]) -> View:
    """The view of an application that is ours, whose configuration has the limits; `respond` returns the running
    server's function."""

    async def view(**_: Any) -> Response:
        scope = _scope()
        answering = respond()
        headers = request_headers(scope)
        body, unread = await _read_body(headers, Limits(request.max_content_length, request.body_timeout))
        made = build_request(scope, request_path(scope), headers, body)
        answer = await answering(made, unread)
        note_client(scope, made)
        return _response(answer, scope["method"])

    return view


def _hosted_view(respond: RespondTo, rule: str) -> View:
    """The view of one route in an application with limits of its own, of which the narrower ones hold."""

    async def view(**_: Any) -> Response:
        scope = _scope()
        headers = request_headers(scope)
        ours = Limits()
        limits = Limits(
            _narrower(ours.body_bytes, request.max_content_length), _narrower(ours.body_seconds, request.body_timeout)
        )
        body, unread = await _read_body(headers, limits)
        prefix, path = split_prefix(request.path, rule)
        ours_request = build_request(scope, path, headers, body)
        ours_request.root_path = request.root_path.rstrip("/") + prefix
        answer = await respond(scope)(ours_request, unread)
        note_client(scope, ours_request)
        response = _response(answer, scope["method"])
        if not isinstance(answer.body, Frames):
            response.timeout = ours.answer_seconds
        return response

    return view


def split_prefix(path: str, rule: str) -> tuple[str, str]:
    """What a host's own rule has put before ours, and the path that ours has matched: as many segments as it has."""
    segments = path.rstrip("/").split("/")
    ours = rule.strip("/").count("/") + 1 if rule != "/" else 0
    cut = len(segments) - ours
    return "/".join(segments[:cut]), "/" + "/".join(segments[cut:])


def _narrower(one: float | None, other: float | None) -> Any:
    return min((each for each in (one, other) if each is not None), default=None)


def _scope() -> dict[str, Any]:
    return cast(dict[str, Any], request.scope)


async def _read_body(headers: Mapping[str, str], limits: Limits) -> tuple[bytes, McpAppError | None]:
    """The body, and the error if it could not be read. Not by `get_data`: without a Content-Length, Quart 0.23 checks
    the size only once the whole body has been received."""
    body = IncomingBody(limits.body_bytes)
    try:
        body.check_content_length(headers)
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.body:
                body.add(part)
    except (BodyTooLarge, RequestEntityTooLarge):
        return b"", too_large(limits.body_bytes)
    except TimeoutError:
        return b"", too_late(limits.body_seconds)
    except Overloaded as error:
        return b"", error
    finally:
        body.close()
    return b"".join(body.parts), None


def _response(answer: Answer, method: str) -> Response:
    response = Response(answer.body, status=answer.status)
    if isinstance(answer.body, Frames):
        # Quart may never iterate the body, if its client is gone: they are closed with the task that answers.
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        task.add_done_callback(lambda _, frames=answer.body: frames.close())  # type: ignore[misc]
        response.timeout = answer.body.seconds_left + response_limits.BACKSTOP_SECONDS
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    if has_content_length(answer, method):
        response.headers["Content-Length"] = str(len(cast(bytes, answer.body)))
    return response
