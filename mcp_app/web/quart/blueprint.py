"""The blueprint: Quart's requests become the endpoint's, the endpoint's answers Quart's responses.

One view for every route: the body is read whole before anything is answered (an answer that overtakes its request's
body has cost HTTP/2 connections their other streams), and the endpoint does the rest. No policy may be in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from quart import Blueprint, Response, request
from quart.blueprints import BlueprintSetupState
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout
from werkzeug.routing import BaseConverter

from ...endpoint import Endpoint
from ...protocol.errors import BodyTimeout, BodyTooLarge, McpAppError
from ..asgi.scope import headers_in, request_in, says_length
from ..frames import Frames
from ..messages import Answer
from .connection import FRAMES

MAX_BODY_BYTES = 1024 * 1024
"""Of a request: a call's parameters, not an upload. The official SDKs take 4 MiB, Mercure 1 MiB."""

BODY_SECONDS = 10
"""For the whole body: a mebibyte over a bad mobile line; without it a peer that drips pins a stream for ever."""

BACKSTOP_SECONDS = 5.0
"""After the cap, for a last event that a peer does not read: then the stream is reset."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Anything(BaseConverter):
    """Any rest of a path, slashes and nothing included."""

    regex = ".*"
    part_isolating = False


def blueprint(paths: Iterable[str], endpoint: Callable[[], Endpoint]) -> Blueprint:
    """All routes; `endpoint` gives the running server's."""
    routes = Blueprint("mcp_app", __name__)

    async def view(**_: Any) -> Response:
        answer = await _answer(endpoint())
        return _response(answer)

    for number, path in enumerate(paths):
        routes.add_url_rule(
            path,
            endpoint=f"route_{number}",
            view_func=view,
            methods=METHODS,
            provide_automatic_options=False,
            strict_slashes=False,
        )
    routes.record(lambda state: _catch_all(state, view))
    return routes


def _catch_all(state: BlueprintSetupState, view: Callable[..., Any]) -> None:
    """Every other path, and every other method: so that those, too, get the error object, after their body was read.

    Quart's own way to add a rule insists on naming the methods, and a method can be any token (RFC 9110, 9.1).
    """
    app = state.app
    app.url_map.converters["anything"] = Anything
    app.url_map.merge_slashes = False
    app.url_map.add(app.url_rule_class("/<anything:path>", endpoint="mcp_app.anything", methods=None))
    app.view_functions["mcp_app.anything"] = view


def too_large() -> BodyTooLarge:
    """What is said of a body that is too large, in both lanes."""
    return BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")


def too_late() -> BodyTimeout:
    """What is said of a body that did not come."""
    return BodyTimeout(f"The body did not arrive within {BODY_SECONDS} seconds.")


async def _answer(endpoint: Endpoint) -> Answer:
    body = b""
    unread: McpAppError | None = None
    try:
        body = cast(bytes, await request.get_data(cache=False))
    except RequestEntityTooLarge:
        unread = too_large()
    except RequestTimeout:
        unread = too_late()
    scope = _scope()
    return await endpoint.answer(request_in(scope, _path(), headers_in(scope), body), unread)


def _scope() -> dict[str, Any]:
    return cast(dict[str, Any], request.scope)


def _path() -> str:
    """Quart's own, without its root path; but `//x` is not made to `/x`, which a proxy may keep to itself."""
    path: str = request.scope["path"]
    return path if path.startswith("//") else request.path


def _response(answer: Answer) -> Response:
    if isinstance(answer.body, Frames):
        # The server type's promise is only that a body is iterated when there is somebody to iterate it for.
        _scope()[FRAMES] = answer.body
        response = Response(answer.body, status=answer.status)
        response.timeout = answer.body.seconds_left + BACKSTOP_SECONDS
    else:
        response = Response(answer.body, status=answer.status)
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    if says_length(answer, _scope()["method"]):
        response.headers["Content-Length"] = str(len(cast(bytes, answer.body)))
    return response
