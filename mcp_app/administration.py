"""What operators ask at an address of their own (`--admin-bind`): metrics and health, and nothing else.

Who reaches that address may ask: no credentials, no limits of callers, none of their connections. What the answers say
is in `documents`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from .documents import Documents
from .protocol.errors import McpAppError, MethodNotAllowed, UnknownRoute
from .routes import ADMINISTRATION_PATHS, HEALTH_PATHS
from .web.guard import Guard
from .web.messages import Answer, Request, error_answer

_ALLOW = {"Allow": "GET, HEAD"}


class Administration:
    """Answers what comes to the operators' address."""

    def __init__(self, documents: Documents, guard: Guard) -> None:
        handlers: Mapping[str, Callable[[Request], Awaitable[Answer]]] = {
            "/healthz": documents.healthz,
            "/readyz": documents.readyz,
            "/metrics": documents.metrics,
        }
        self._handlers = {path: handlers[path] for path in ADMINISTRATION_PATHS}
        self._guard = guard

    async def answer(self, request: Request, body_error: McpAppError | None = None) -> Answer:
        """Answer a request. `body_error`: why its body could not be read."""
        path = request.path.rstrip("/")
        try:
            handler = self._handlers.get(path)
            if handler is None:
                raise UnknownRoute(f"Here are {', '.join(sorted(ADMINISTRATION_PATHS))} alone.")
            if path not in HEALTH_PATHS:
                self._guard.check_host(request, addresses=True)
                self._guard.check_origin(request)
            if body_error is not None:
                raise body_error
            if request.method not in ("GET", "HEAD"):
                raise MethodNotAllowed("This route does not have that method.", headers=_ALLOW)
            answer = await handler(request)
        except McpAppError as error:
            return error_answer(error)
        if request.method == "HEAD" and isinstance(answer.body, bytes):
            return Answer(answer.status, (*answer.headers, ("Content-Length", str(len(answer.body)))))
        return answer
