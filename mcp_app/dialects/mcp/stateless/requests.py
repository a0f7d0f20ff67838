"""MCP without sessions: revision 2026-07-28, in which every request says all that is needed to answer it.

A request is checked in the order of what it could be wrong in: version, headers, `_meta`, method, parameters. How a run
becomes an answer is answering.py's; the lists are offer.py's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....asking import Asker, LazyAsker, RetryAsker
from ....authoring.resource import UnknownResource
from ....authoring.tool import Tool
from ....protocol.errors import InvalidParams
from ....protocol.event import encode
from ....protocol.http.trace import Trace, extract_trace
from ....protocol.mcp import headers as mcp_headers
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.asked import Asked
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY, LOG_LEVEL_KEY, SERVER_INFO_KEY
from ....protocol.mcp.results import failed
from ....protocol.mcp.revisions import STATELESS, STATELESS_WIRE, Structure
from ....protocol.mcp.tasks import EXTENSION, EXTENSION_METHODS, declared, not_declared
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import MCP_2026_07_28, MCP_2026_07_28_FOLLOWED, Policy
from ....runs import Callee, Run, Runs
from ....web.messages import PRINCIPAL, Answer, Request, json_answer
from ..answering import Answering
from ..offer import LIST_TTL_MS, LISTS, Offer
from ..validation import validate
from .request_state import Bound, FirstRound, States
from .subscriptions import Subscriptions
from .task import Task
from .tasks import Tasks

_CACHEABLE = {"ttlMs": LIST_TTL_MS, "cacheScope": "public"}
"""Lists are the same for everybody, as nobody is asked who they are."""


@dataclass(slots=True)
class StatelessRequest:
    """One request, its parameters validated."""

    http: Request
    message: jsonrpc.RpcRequest

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    @property
    def meta(self) -> Mapping[str, Any]:
        meta: Mapping[str, Any] = self.message.params.get("_meta", {})
        return meta

    @property
    def trace(self) -> Trace:
        return extract_trace(self.http.headers, self.meta)

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared that it can do, with this very request."""
        capabilities: Mapping[str, Any] = self.meta[CLIENT_CAPABILITIES_KEY]
        return capabilities


class Modern:
    """Answers requests of the revisions that it lists as `supported`."""

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
        self._states = states
        self.supported = supported
        self._subscriptions = subscriptions
        self._tasks = tasks
        self._meta = {SERVER_INFO_KEY: offer.server_info}
        self._methods: dict[str, Callable[[StatelessRequest], Awaitable[Answer]]] = {
            "server/discover": self._discover,
            **dict.fromkeys(LISTS, self._list),
            "tools/call": self._call_tool,
            "resources/read": self._read_resource,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "subscriptions/listen": self._listen,
            "tasks/get": self._task(tasks.get),
            "tasks/update": self._task(tasks.update),
            "tasks/cancel": self._task(tasks.cancel),
        }

    async def answer(self, request: Request, message: jsonrpc.RpcRequest) -> Answer:
        """Raises RpcError and the errors of the runs; the caller gives them the request's id."""
        self._check_version(request, message)
        mcp_headers.check_request(request.headers, message)
        meta = message.params.get("_meta")
        if not isinstance(meta, dict) or not isinstance(meta.get(CLIENT_CAPABILITIES_KEY), dict):
            raise RpcError(
                Code.INVALID_PARAMS,
                f"params._meta has no object {CLIENT_CAPABILITIES_KEY}, which every request says.",
            )
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"There is no method {message.method[:100]!r}.", status=404)
        if message.method not in EXTENSION_METHODS:  # of which the revision's schema says nothing
            _validate(message)
        return await method(StatelessRequest(request, message))

    def _check_version(self, request: Request, message: jsonrpc.RpcRequest) -> None:
        meta = message.params.get("_meta")
        version = meta.get(mcp_headers.VERSION_KEY) if isinstance(meta, dict) else None
        header = request.headers.get("mcp-protocol-version")
        if not isinstance(version, str):
            raise RpcError(
                Code.INVALID_PARAMS, f"params._meta has no string {mcp_headers.VERSION_KEY}, which every request says."
            )
        if version == header and version != STATELESS:
            data = {"supported": list(self.supported), "requested": version}
            raise RpcError(Code.UNSUPPORTED_PROTOCOL_VERSION, "This server does not speak that revision.", data=data)

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _discover(self, request: StatelessRequest) -> Answer:
        capabilities = {**self._offer.capabilities, "extensions": {EXTENSION: {}}}
        result = {"supportedVersions": list(self.supported), "capabilities": capabilities, **_CACHEABLE}
        return self._result(request, result)

    async def _list(self, request: StatelessRequest) -> Answer:
        page = self._offer.listed(request.message.method, request.params, STATELESS_WIRE)
        return self._result(request, {**page, **_CACHEABLE})

    async def _complete(self, request: StatelessRequest) -> Answer:
        return self._result(request, await self._offer.complete(request.params, self._runs.threads))

    async def _listen(self, request: StatelessRequest) -> Answer:
        wanted = request.params["notifications"].get("taskIds")
        if wanted is not None and not declared(request.capabilities):
            raise not_declared()
        if not isinstance(wanted or [], list):
            raise RpcError(Code.INVALID_PARAMS, '"taskIds": a list of strings is needed.')
        return self._subscriptions.listen(
            request.http,
            request.message,
            self._meta,
            self._tasks.known(wanted or ()),
            self._tasks.state,
        )

    # --- what runs ---------------------------------------------------------------------------------------------------

    async def _call_tool(self, request: StatelessRequest) -> Answer:
        tool = self._offer.tools.get(request.params["name"])
        mcp_headers.check_arguments(request.http.headers, request.message, tool.mirrors)
        structure = STATELESS_WIRE.structure(tool.structure)
        try:
            arguments = tool.arguments(request.params.get("arguments") or {})
        except InvalidParams as error:  # for the model to mend (SEP-1303)
            return self._result(request, failed(self._asked(request, structure), error.object()))
        if Tasks.takes(tool, request.capabilities):
            task = await self._task_of(request, tool, structure)
            return await self._tasks.call(request.http, tool, arguments, task, request.trace)
        if Tasks.promotes(tool, request.capabilities):
            task = await self._task_of(request, tool, structure)
            run = await self._start(request, tool, arguments, MCP_2026_07_28_FOLLOWED, task)
            promote = partial(self._tasks.promote, run, task)
            return await self._answering.answer(request.http, run, task.transcript, promote)
        return await self._run(request, tool, arguments, structure, once=tool.once)

    async def _task_of(self, request: StatelessRequest, tool: Tool, structure: Structure) -> Task:
        bound, rounds = await self._rounds(request, once=tool.once)
        return self._tasks.prepared(self._asked(request, structure, seal=bound.seal), rounds)

    def _task(
        self, does: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Callable[[StatelessRequest], Awaitable[Answer]]:
        async def answer(request: StatelessRequest) -> Answer:
            if not declared(request.capabilities):
                raise not_declared()
            return self._result(request, does(request.params))

        return answer

    async def _get_prompt(self, request: StatelessRequest) -> Answer:
        prompt = self._offer.prompts.get(request.params["name"])
        arguments = prompt.arguments(request.params.get("arguments") or {})
        return await self._run(request, prompt, arguments, raw={})

    async def _read_resource(self, request: StatelessRequest) -> Answer:
        uri = request.params["uri"]
        try:
            reading, arguments = self._offer.resources.match(uri)
        except UnknownResource as error:  # "data MUST contain the URI" (2026-07-28, Resources, Error Handling)
            raise RpcError(Code.INVALID_PARAMS, error.message, data=error.object()) from None
        return await self._run(request, reading, arguments, raw=reading.resource.cache_hints())

    async def _run(
        self,
        request: StatelessRequest,
        callee: Callee,
        arguments: dict[str, Any],
        structure: Structure = Structure.ABSENT,
        raw: dict[str, Any] | None = None,
        *,
        once: bool = False,
    ) -> Answer:
        """`once`: a `requestState` can be used only once."""
        asker: Asker | None = None
        sealing: Bound | FirstRound | None = None
        if request.params.get("requestState") is not None:
            sealing, asker = await self._rounds(request, once=once)
        elif callee.context is not None:
            sealing = FirstRound(self._states, PRINCIPAL, request.http.body)
            asker = LazyAsker(request.capabilities, sealing.rounds)
        asked = self._asked(request, structure, raw, None if sealing is None else sealing.seal)
        run = await self._start(request, callee, arguments, MCP_2026_07_28, asker)
        return await self._answering.answer(request.http, run, Transcript(asked))

    async def _start(
        self, request: StatelessRequest, callee: Callee, arguments: dict[str, Any], policy: Policy, asker: Asker | None
    ) -> Run:
        return await self._runs.start(
            callee,
            arguments,
            policy,
            principal=PRINCIPAL,
            headers=request.http.headers,
            asker=asker,
            trace=request.trace,
        )

    async def _rounds(self, request: StatelessRequest, *, once: bool) -> tuple[Bound, RetryAsker]:
        """How it asks its caller, going on from the request's state. Raises StateRefused."""
        self._runs.check()  # first: a state for one use that is opened for a call that cannot begin would be lost
        bound = Bound(self._states, PRINCIPAL, request.message.method, request.params)
        state = await bound.open(once=once)
        return bound, bound.rounds(state)

    def _asked(
        self,
        request: StatelessRequest,
        structure: Structure,
        raw: dict[str, Any] | None = None,
        seal: Callable[[Any], str] | None = None,
    ) -> Asked:
        return Asked(
            request.message.id,
            STATELESS_WIRE,
            self._offer.namespace,
            progress_token=request.meta.get("progressToken"),
            level=request.meta.get(LOG_LEVEL_KEY),
            structure=structure,
            raw=raw,
            meta=self._meta,
            seal=seal,
        )

    def _result(self, request: StatelessRequest, result: dict[str, Any]) -> Answer:
        meta = {**self._meta, **result.get("_meta", {})}
        typed = {"resultType": "complete", **result, "_meta": meta}
        return json_answer(200, jsonrpc.result(request.message.id, encode(typed)))


def _validate(message: jsonrpc.RpcRequest) -> None:
    """Against the revision's own schema. Raises RpcError naming each field.

    Of `inputResponses` only that it is an object: an answer is looked at when it is asked for, and what nobody asked
    for is passed over (basic/patterns/mrtr, Error Handling).
    """
    params = message.params
    if isinstance(params.get("inputResponses"), dict):
        params = {name: value for name, value in params.items() if name != "inputResponses"}
    validate(message.method, params, STATELESS)
