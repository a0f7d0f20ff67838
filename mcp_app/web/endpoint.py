"""`answer(Request) -> Answer`: the whole server as one function of plain values.

The guard first, then the table of routes, then one handler; whatever is raised becomes the error object. Neither Quart
nor ASGI is known here, and no handler's work is done here.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from ..eventlog import EventLog
from ..manifest import Manifest
from ..protocol.errors import InternalError, McpAppError, MethodNotAllowed, UnknownRoute
from ..runs import Runs
from ..settings import Settings
from ..tools import Registry
from .calls import Calls
from .documents import Documents
from .exchange import Answer, Request, error_answer
from .guard import Guard
from .metrics import Metrics
from .run_routes import RunRoutes
from .table import RUN, table

logger = logging.getLogger("mcp_app.endpoint")

Handler = Callable[..., Awaitable[Answer]]
Methods = Mapping[str, Handler]


class Endpoint:
    """Everything a request can reach. Made inside the loop it answers on."""

    def __init__(self, settings: Settings, registry: Registry, manifest: Manifest, runs: Runs, log: EventLog) -> None:
        self.runs = runs
        self._metrics = Metrics()
        self._guard = Guard(settings)
        calls = Calls(settings, registry, runs, self._guard, self._metrics)
        resource = RunRoutes(manifest.runs_path, registry, runs, log, self._guard, calls)
        documents = Documents(settings, manifest, registry, runs, self._metrics)
        parts = {"calls": calls, "runs": resource, "documents": documents}
        self._runs_path = manifest.runs_path
        self._table: dict[str, Methods] = {
            path: {method: _handler(parts, name) for method, name in methods.items()}
            for path, methods in table(manifest).items()
        }

    async def answer(self, request: Request) -> Answer:
        """Never raises for anything a request can contain; what it does not expect is masked, and in the log."""
        try:
            answer = await self._dispatch(request)
        except McpAppError as error:
            answer = self.refuse(error)
        except Exception as error:
            error_id = secrets.token_hex(8)
            logger.exception("%s %s failed [error_id %s]", request.method, request.path, error_id, exc_info=error)
            answer = self.refuse(InternalError("The server failed to answer.", error_id=error_id))
        return replace(answer, headers=(*answer.headers, ("Vary", "Accept"), *self._guard.cors(request.headers)))

    def refuse(self, error: McpAppError) -> Answer:
        """The error as an answer, counted."""
        self._metrics.refused(error.code)
        return error_answer(error)

    async def _dispatch(self, request: Request) -> Answer:
        self._guard.check(request)
        methods, arguments = self._route(request.path)
        if request.method == "OPTIONS":
            return Answer(204, (("Allow", _allow(methods)), *self._guard.preflight(request.headers)))
        handler = methods.get(request.method)
        if handler is not None:
            return await handler(request, **arguments)
        if request.method == "HEAD" and "GET" in methods:
            # A document is made and its body left out: a GET that would start or follow a run has a HEAD of its own.
            return replace(await methods["GET"](request, **arguments), body=b"")
        raise MethodNotAllowed(f"{request.method} is not a method of this route.", headers={"Allow": _allow(methods)})

    def _route(self, path: str) -> tuple[Methods, dict[str, Any]]:
        """A slash at the end means nothing: a redirect would lose a POST's body."""
        path = path.rstrip("/") or "/"
        if path in self._table and "<" not in path:
            return self._table[path], {}
        below = path.removeprefix(f"{self._runs_path}/")
        if below != path:
            run, _, rest = below.partition("/")
            template = f"{self._runs_path}/{RUN}/{rest}" if rest else f"{self._runs_path}/{RUN}"
            if template in self._table:
                return self._table[template], {"run": run}
        raise UnknownRoute("There is nothing at this path.")


def _handler(parts: Mapping[str, object], name: str) -> Handler:
    part, _, method = name.partition(".")
    handler: Handler = getattr(parts[part], method)
    return handler


def _allow(methods: Methods) -> str:
    names = set(methods) | {"OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))
