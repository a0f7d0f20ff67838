"""MCP without sessions: revision 2026-07-28, in which every request says all that is needed to answer it.

A request is checked in the order of what it could be wrong in: version, headers, `_meta`, method, parameters. How a run
becomes an answer is answering.py's; the lists are offer.py's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....asking import Asker, Rounds, State, Unasked
from ....authoring.resource import UnknownResource
from ....authoring.tool import Tool
from ....protocol.errors import InvalidParams
from ....protocol.event import encode
from ....protocol.http.trace import Trace, carried
from ....protocol.mcp import headers as mcp_headers
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.exchange import Exchange, Wire
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY, LOG_LEVEL_KEY, SERVER_INFO_KEY
from ....protocol.mcp.tasks import EXTENSION, EXTENSION_METHODS, declared, not_declared
from ....protocol.policy import MCP_2026_07_28, MCP_2026_07_28_FOLLOWED, Policy
from ....runs import Callee, Run, Runs
from ....web.messages import PRINCIPAL, Answer, Request, json_answer
from ..answering import Answering
from ..offer import LIST_TTL_MS, Offer
from ..validation import validate
from .request_state import Bound, States
from .subscriptions import Subscriptions
from .tasks import Tasks

VERSION = "2026-07-28"

WIRE = Wire(
    result_type=True,
    structured=True,
    any_structure=True,
    capability_error=True,
    nothing_there=Code.INVALID_PARAMS,
)

_CACHEABLE = {"ttlMs": LIST_TTL_MS, "cacheScope": "public"}
"""Lists are the same for everybody, as nobody is asked who they are."""


@dataclass(slots=True)
class Asked:
    """One request, its parameters validated."""

    http: Request
    message: jsonrpc.Request

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    @property
    def meta(self) -> Mapping[str, Any]:
        meta: Mapping[str, Any] = self.message.params.get("_meta", {})
        return meta

    @property
    def trace(self) -> Trace:
        return carried(self.http.headers, self.meta)

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
        self._methods: dict[str, Callable[[Asked], Awaitable[Answer]]] = {
            "server/discover": self._discover,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "subscriptions/listen": self._listen,
            "tasks/get": self._task(tasks.get),
            "tasks/update": self._task(tasks.update),
            "tasks/cancel": self._task(tasks.cancel),
        }

    async def answer(self, request: Request, message: jsonrpc.Request) -> Answer:
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
        return await method(Asked(request, message))

    def _check_version(self, request: Request, message: jsonrpc.Request) -> None:
        meta = message.params.get("_meta")
        version = meta.get(mcp_headers.VERSION_KEY) if isinstance(meta, dict) else None
        header = request.headers.get("mcp-protocol-version")
        if not isinstance(version, str):
            raise RpcError(
                Code.INVALID_PARAMS, f"params._meta has no string {mcp_headers.VERSION_KEY}, which every request says."
            )
        if version == header and version != VERSION:
            data = {"supported": list(self.supported), "requested": version}
            raise RpcError(Code.UNSUPPORTED_PROTOCOL_VERSION, "This server does not speak that revision.", data=data)

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _discover(self, asked: Asked) -> Answer:
        capabilities = {**self._offer.capabilities, "extensions": {EXTENSION: {}}}
        result = {"supportedVersions": list(self.supported), "capabilities": capabilities, **_CACHEABLE}
        return self._result(asked, result)

    async def _list_tools(self, asked: Asked) -> Answer:
        return self._result(asked, {**self._offer.list_tools(asked.params, WIRE), **_CACHEABLE})

    async def _list_resources(self, asked: Asked) -> Answer:
        return self._result(asked, {**self._offer.list_resources(asked.params), **_CACHEABLE})

    async def _list_templates(self, asked: Asked) -> Answer:
        return self._result(asked, {**self._offer.list_templates(asked.params), **_CACHEABLE})

    async def _list_prompts(self, asked: Asked) -> Answer:
        return self._result(asked, {**self._offer.list_prompts(asked.params), **_CACHEABLE})

    async def _complete(self, asked: Asked) -> Answer:
        return self._result(asked, await self._offer.complete(asked.params, self._runs.threads))

    async def _listen(self, asked: Asked) -> Answer:
        wanted = asked.params["notifications"].get("taskIds")
        if wanted is not None and not declared(asked.capabilities):
            raise not_declared()
        if not isinstance(wanted or [], list):
            raise RpcError(Code.INVALID_PARAMS, '"taskIds": a list of strings is needed.')
        return self._subscriptions.listen(
            asked.http,
            asked.message,
            self._meta,
            self._tasks.known(wanted or ()),
            self._tasks.state,
        )

    # --- what runs ---------------------------------------------------------------------------------------------------

    async def _call_tool(self, asked: Asked) -> Answer:
        tool = self._offer.tools.get(asked.params["name"])
        exchange = self._exchange(asked, has_output_schema=tool.output_schema is not None)
        mcp_headers.check_arguments(asked.http.headers, asked.message, tool.mirrors)
        try:
            arguments = tool.arguments(asked.params.get("arguments") or {})
        except InvalidParams as error:  # for the model to mend (SEP-1303)
            return self._result(asked, exchange.failed(error.object()))
        if Tasks.takes(tool, asked.capabilities):
            rounds = await self._rounds(asked, tool, exchange)
            return await self._tasks.call(asked.http, tool, arguments, exchange, rounds, asked.trace)
        if Tasks.promotes(tool, asked.capabilities):
            return await self._run_promotable(asked, tool, arguments, exchange)
        return await self._run(asked, tool, arguments, exchange)

    async def _run_promotable(self, asked: Asked, tool: Tool, arguments: dict[str, Any], exchange: Exchange) -> Answer:
        task = self._tasks.prepared(exchange, await self._rounds(asked, tool, exchange))
        run = await self._start(asked, tool, arguments, MCP_2026_07_28_FOLLOWED, task)
        return await self._answering.answer(asked.http, run, exchange, partial(self._tasks.promote, run, task))

    def _task(self, does: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[[Asked], Awaitable[Answer]]:
        async def answer(asked: Asked) -> Answer:
            if not declared(asked.capabilities):
                raise not_declared()
            return self._result(asked, does(asked.params))

        return answer

    async def _get_prompt(self, asked: Asked) -> Answer:
        prompt = self._offer.prompts.get(asked.params["name"])
        arguments = prompt.arguments(asked.params.get("arguments") or {})
        return await self._run(asked, prompt, arguments, self._exchange(asked, raw={}))

    async def _read_resource(self, asked: Asked) -> Answer:
        uri = asked.params["uri"]
        try:
            reading, arguments = self._offer.resources.match(uri)
        except UnknownResource as error:  # "data MUST contain the URI" (2026-07-28, Resources, Error Handling)
            raise RpcError(Code.INVALID_PARAMS, error.message, data=error.object()) from None
        return await self._run(asked, reading, arguments, self._exchange(asked, raw=reading.resource.cache_hints()))

    async def _run(self, asked: Asked, callee: Callee, arguments: dict[str, Any], exchange: Exchange) -> Answer:
        asker: Asker | None = None
        if asked.params.get("requestState") is not None:
            asker = await self._rounds(asked, callee, exchange)
        elif callee.context is not None:
            asker = Unasked(asked.capabilities, partial(self._first_round, asked.http.body, exchange))
        run = await self._start(asked, callee, arguments, MCP_2026_07_28, asker)
        return await self._answering.answer(asked.http, run, exchange)

    async def _start(
        self, asked: Asked, callee: Callee, arguments: dict[str, Any], policy: Policy, asker: Asker | None
    ) -> Run:
        return await self._runs.start(
            callee, arguments, policy, principal=PRINCIPAL, headers=asked.http.headers, asker=asker, trace=asked.trace
        )

    async def _rounds(self, asked: Asked, callee: Callee, exchange: Exchange) -> Rounds:
        """How it asks its caller, going on from the request's state. Raises StateRefused."""
        self._runs.check()  # first: a state for one use that is opened for a call that cannot begin would be lost
        bound = Bound(self._states, PRINCIPAL, asked.message.method, asked.params)
        state = await bound.open(once=getattr(callee, "once", False))
        return _round(bound, exchange, state)

    def _first_round(self, body: bytes, exchange: Exchange) -> Rounds:
        """Of a call of which its bytes were kept, a third of what they were read as."""
        message = jsonrpc.parse(body)
        assert isinstance(message, jsonrpc.Request)  # noqa: S101 - it was one before
        return _round(Bound(self._states, PRINCIPAL, message.method, message.params), exchange, None)

    def _exchange(
        self, asked: Asked, *, has_output_schema: bool = False, raw: dict[str, Any] | None = None
    ) -> Exchange:
        return Exchange(
            asked.message.id,
            WIRE,
            self._offer.namespace,
            progress_token=asked.meta.get("progressToken"),
            level=asked.meta.get(LOG_LEVEL_KEY),
            has_output_schema=has_output_schema,
            raw=raw,
            meta=self._meta,
        )

    def _result(self, asked: Asked, result: dict[str, Any]) -> Answer:
        meta = {**self._meta, **result.get("_meta", {})}
        typed = {"resultType": "complete", **result, "_meta": meta}
        return json_answer(200, jsonrpc.result(asked.message.id, encode(typed)))


def _round(bound: Bound, exchange: Exchange, state: State | None) -> Rounds:
    exchange.seal = bound.seal
    params = bound.params
    return Rounds(params["_meta"][CLIENT_CAPABILITIES_KEY], state, params.get("inputResponses") or {})


def _validate(message: jsonrpc.Request) -> None:
    """Against the revision's own schema. Raises RpcError naming each field.

    Of `inputResponses` only that it is an object: an answer is looked at when it is asked for, and what nobody asked
    for is passed over (basic/patterns/mrtr, Error Handling).
    """
    params = message.params
    if isinstance(params.get("inputResponses"), dict):
        params = {name: value for name, value in params.items() if name != "inputResponses"}
    validate(message.method, params, VERSION)
