"""The methods of the revision without sessions: MCP 2026-07-28.

A request is validated in this order: version, envelope, `_meta`, method, parameters. What a transport settles of that
is in binding.py; a tool is called in tool_calls.py, a run started in starting.py and answered in answering.py; the
lists are in lists.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from ....protocol.mcp import headers as mcp_headers
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY, SERVER_INFO_KEY
from ....protocol.mcp.revisions import STATELESS, STATELESS_WIRE
from ....protocol.mcp.tasks import EXTENSION, EXTENSION_METHODS, extension_required, supports_tasks
from ....runs import Runs
from ....web.messages import Answer, Request
from ..answering import Answering
from ..kept import read_kept
from ..lists import LISTS
from ..offer import LIST_TTL_MS, Offer
from ..validation import validate
from .binding import HTTP, Binding
from .request import Started, StatelessRequest, StatelessRun
from .request_state import States
from .starting import StatelessStarting
from .subscriptions import MAX_URIS, Subscription, Subscriptions
from .tasks import Tasks
from .tool_calls import ToolCalls


class StatelessMethods:
    """Answers requests without a session. `supported` are the revisions that discovery and errors list."""

    def __init__(
        self,
        offer: Offer,
        runs: Runs,
        answering: Answering,
        states: States,
        supported: tuple[str, ...],
        subscriptions: Subscriptions,
        tasks: Tasks,
    ) -> None:
        self._offer = offer
        self._runs = runs
        self._answering = answering
        self.supported = supported
        self._subscriptions = subscriptions
        self._tasks = tasks
        self._starting = StatelessStarting(offer, runs, states)
        self._methods: dict[str, Callable[[StatelessRequest], Awaitable[Started]]] = {
            "server/discover": self._discover,
            **dict.fromkeys(LISTS, self._list),
            "tools/call": ToolCalls(offer, runs, self._starting, tasks).call,
            "resources/read": self._read_resource,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "subscriptions/listen": self._listen,
            "tasks/get": self._task(tasks.get),
            "tasks/update": self._task(tasks.update),
            "tasks/cancel": self._task(tasks.cancel),
        }

    async def answer(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        """The answer over HTTP. Raises RpcError and the errors of `Runs.start`; the caller adds the request's id to
        them."""
        started = await self.begin(request, message, HTTP)
        if isinstance(started, Answer):
            return started
        if isinstance(started, Subscription):
            return self._subscriptions.answer(started)
        return await self._answering.answer(request, *started)

    async def begin(self, request: Request, message: jsonrpc.RpcRequest, binding: Binding) -> Started:
        """Start a request that came by the transport of `binding`. Raises as `answer` does."""
        version = _version(message)
        binding.check_request(request.headers, message)
        if version != STATELESS:
            raise not_spoken(version, self.supported)
        meta = message.params.get("_meta")
        if not isinstance(meta, dict) or not isinstance(meta.get(CLIENT_CAPABILITIES_KEY), dict):
            raise RpcError(
                Code.INVALID_PARAMS,
                f"params._meta has no object {CLIENT_CAPABILITIES_KEY}, which every request says.",
            )
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"There is no method {message.method[:100]!r}.", status=404)
        if message.method not in EXTENSION_METHODS:  # which the revision's schema does not contain
            _validate(message)
        return await method(StatelessRequest(request, message, binding))

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _discover(self, request: StatelessRequest) -> Answer:
        capabilities = {**self._offer.capabilities, "extensions": {EXTENSION: {}}}
        introduction = self._offer.introduction(STATELESS_WIRE)
        meta = {SERVER_INFO_KEY: introduction.pop("serverInfo")}
        supported = list(self.supported)
        result = {
            "supportedVersions": supported,
            "capabilities": capabilities,
            **introduction,
            **self._cacheable(request),
        }
        return self._starting.result(request, {**result, "_meta": meta})

    async def _list(self, request: StatelessRequest) -> Answer:
        page = self._offer.lists.page(
            request.message.method, request.params.get("cursor"), STATELESS_WIRE, request.http.access
        )
        return self._starting.result(request, {**page, **self._cacheable(request)})

    def _cacheable(self, request: StatelessRequest) -> dict[str, Any]:
        """Where it is known who calls, a list is one caller's alone, also that of who is nobody: "the Result from an
        authenticated tools/list call with a "public" cacheScope […] may be shared outside of the initial requests
        authorization context" (Caching)."""
        alike = request.http.access.anonymous and not self._offer.verifies
        return {"ttlMs": LIST_TTL_MS, "cacheScope": "public" if alike else "private"}

    async def _complete(self, request: StatelessRequest) -> Answer:
        return self._starting.result(request, await self._offer.complete(request.params, request.http))

    async def _listen(self, request: StatelessRequest) -> Subscription:
        task_ids = request.params["notifications"].get("taskIds")
        if task_ids is not None and not supports_tasks(request.capabilities):
            raise extension_required()
        if not isinstance(task_ids or [], list):
            raise RpcError(Code.INVALID_PARAMS, '"taskIds": a list of strings is needed.')
        uris = request.params["notifications"].get("resourceSubscriptions") or ()
        self._offer.check_readable(uris[:MAX_URIS], request.http.access)
        principal = request.http.principal
        known = await self._tasks.known(task_ids or (), principal)
        state = partial(self._tasks.state, principal)
        return self._subscriptions.open(request.http, request.message, self._starting.meta, known, state)

    # --- requests that start a run -----------------------------------------------------------------------------------

    def _task(
        self, method: Callable[[Mapping[str, Any], str], Awaitable[dict[str, Any]]]
    ) -> Callable[[StatelessRequest], Awaitable[Answer]]:
        async def answer(request: StatelessRequest) -> Answer:
            if not supports_tasks(request.capabilities):
                raise extension_required()
            return self._starting.result(request, await method(request.params, request.http.principal))

        return answer

    async def _get_prompt(self, request: StatelessRequest) -> StatelessRun:
        prompt = self._offer.prompts.get(request.params["name"], request.http.access)
        arguments = self._offer.prompt_arguments(prompt, request.params)
        return await self._starting.run(request, prompt, arguments, raw={})

    async def _read_resource(self, request: StatelessRequest) -> Started:
        if (kept := await read_kept(self._runs, request.params["uri"], request.http.principal)) is not None:
            return self._starting.result(request, {**kept, "ttlMs": 0, "cacheScope": "private"})
        reading, arguments = self._offer.resources.match(request.params["uri"], request.http.access)
        return await self._starting.run(request, reading, arguments, raw=reading.resource.cache_hints())


def _version(message: jsonrpc.RpcRequest) -> str:
    """The revision that the request declares. Raises RpcError if it declares none."""
    meta = message.params.get("_meta")
    version = meta.get(mcp_headers.VERSION_KEY) if isinstance(meta, dict) else None
    if not isinstance(version, str):
        raise RpcError(
            Code.INVALID_PARAMS, f"params._meta has no string {mcp_headers.VERSION_KEY}, which every request says."
        )
    return version


def not_spoken(version: str, supported: tuple[str, ...]) -> RpcError:
    """The error for a revision that is none of `supported`."""
    data = {"supported": list(supported), "requested": version}
    return RpcError(Code.UNSUPPORTED_PROTOCOL_VERSION, "This server does not speak that revision.", data=data)


def _validate(message: jsonrpc.RpcRequest) -> None:
    """Validate against the revision's own schema. Raises RpcError, which names each invalid field.

    `inputResponses` must only be an object: each answer is validated when the tool asks for it, and answers to other
    questions are ignored (basic/patterns/mrtr, Error Handling).
    """
    params = message.params
    if isinstance(params.get("inputResponses"), dict):
        params = {name: value for name, value in params.items() if name != "inputResponses"}
    validate(message.method, params, STATELESS)
