"""What a client of a session can ask for: the methods of MCP 2025-11-25 and older.

A request becomes a result at once, or a run. Which transport it came by, and how its answer goes out, is not known
here; the lists are offer.py's, what differs between the revisions stands in protocol/mcp/revisions.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ....asking import URL, Asker, Live, Referred, declared
from ....authoring.resource import UnknownResource
from ....protocol.errors import InvalidParams
from ....protocol.event import encode
from ....protocol.http.accept import Representation
from ....protocol.http.seal import digest
from ....protocol.http.trace import Trace, carried
from ....protocol.http.uri_template import normal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.exchange import Exchange
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.revisions import negotiated
from ....protocol.policy import MCP_2024_11_05, OnCap, Policy
from ....runs import Callee, Runs
from ..answering import acceptable
from ..offer import Offer
from ..validation import validate
from .session import Session, Working

_BEFORE_INITIALIZE = frozenset({"initialize", "ping"})
""" "The initialization phase MUST be the first interaction" (Lifecycle, Initialization); a ping is no harm."""


@dataclass(slots=True)
class Asked:
    """One request of a session, its parameters validated."""

    session: Session
    message: jsonrpc.Request
    headers: Mapping[str, str]

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    @property
    def trace(self) -> Trace:
        meta = self.message.params.get("_meta")
        return carried(self.headers, meta if isinstance(meta, dict) else None)


class Legacy:
    """Works on requests and notifications of sessions."""

    def __init__(self, offer: Offer, runs: Runs) -> None:
        self._offer = offer
        self._runs = runs
        self._methods: dict[str, Callable[[Asked], Awaitable[dict[str, Any] | Working]]] = {
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "logging/setLevel": self._set_level,
        }

    async def begin(self, session: Session, message: jsonrpc.Request, headers: Mapping[str, str]) -> bytes | Working:
        """The response, or the run that will have it. Raises RpcError and the errors of the runs."""
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"There is no method {message.method[:100]!r}.")
        if session.capabilities is None and message.method not in _BEFORE_INITIALIZE:
            raise RpcError(Code.INVALID_REQUEST, "This session is not initialized: initialize comes first.")
        validate(message.method, message.params, session.revision.version)
        with session.claim(message.id):
            begun = await method(Asked(session, message, headers))
            if isinstance(begun, Working):
                session.begin(message.id, begun)
                return begun
        return jsonrpc.result(message.id, encode(begun))

    def notified(self, session: Session, message: jsonrpc.Notification) -> None:
        """What a client tells. Notifications that are not known mean nothing (JSON-RPC 2.0, 4.1)."""
        if message.method == "notifications/initialized":
            session.initialized = session.capabilities is not None
        elif message.method == "notifications/cancelled":
            request = message.params.get("requestId")
            if jsonrpc.is_id(request):
                session.cancel(request)

    # --- the session -------------------------------------------------------------------------------------------------

    async def _initialize(self, asked: Asked) -> dict[str, Any]:
        session = asked.session
        if session.capabilities is not None:
            raise RpcError(Code.INVALID_REQUEST, "This session has been initialized before.")
        session.revision = negotiated(asked.params["protocolVersion"])
        session.capabilities = session.revision.capabilities(asked.params["capabilities"])
        if session.policy is None:
            session.policy = session.revision.policy
        return {
            "protocolVersion": session.revision.version,
            "capabilities": self._offer.capabilities,
            "serverInfo": self._offer.server_info,
        }

    async def _ping(self, asked: Asked) -> dict[str, Any]:
        return {}

    async def _set_level(self, asked: Asked) -> dict[str, Any]:
        asked.session.level = asked.params["level"]
        return {}

    async def _subscribe(self, asked: Asked) -> dict[str, Any]:
        self._match(asked.params["uri"])
        asked.session.subscribe(asked.params["uri"], _normal(asked))
        return {}

    async def _unsubscribe(self, asked: Asked) -> dict[str, Any]:
        asked.session.unsubscribe(asked.params["uri"], _normal(asked))
        return {}

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _list_tools(self, asked: Asked) -> dict[str, Any]:
        return self._offer.list_tools(asked.params, asked.session.revision.wire)

    async def _list_resources(self, asked: Asked) -> dict[str, Any]:
        return self._offer.list_resources(asked.params)

    async def _list_templates(self, asked: Asked) -> dict[str, Any]:
        return self._offer.list_templates(asked.params)

    async def _list_prompts(self, asked: Asked) -> dict[str, Any]:
        return self._offer.list_prompts(asked.params)

    async def _complete(self, asked: Asked) -> dict[str, Any]:
        return await self._offer.complete(asked.params, self._runs.threads)

    # --- what runs ---------------------------------------------------------------------------------------------------

    async def _call_tool(self, asked: Asked) -> dict[str, Any] | Working:
        tool = self._offer.tools.get(asked.params["name"])
        exchange = self._exchange(asked, has_output_schema=tool.output_schema is not None)
        try:
            arguments = tool.arguments(asked.params.get("arguments") or {})
        except InvalidParams as error:  # for the model to mend (SEP-1303)
            return exchange.failed(error.object())
        return await self._run(asked, tool, arguments, exchange)

    async def _get_prompt(self, asked: Asked) -> Working:
        prompt = self._offer.prompts.get(asked.params["name"])
        arguments = prompt.arguments(asked.params.get("arguments") or {})
        return await self._run(asked, prompt, arguments, self._exchange(asked, raw={}))

    async def _read_resource(self, asked: Asked) -> Working:
        reading, arguments = self._match(asked.params["uri"])
        return await self._run(asked, reading, arguments, self._exchange(asked, raw={}))

    def _match(self, uri: str) -> Any:
        try:
            return self._offer.resources.match(uri)
        except UnknownResource as error:
            raise RpcError(Code.RESOURCE_NOT_FOUND, error.message, data={**error.object(), "uri": uri}) from None

    async def _run(self, asked: Asked, callee: Callee, arguments: dict[str, Any], exchange: Exchange) -> Working:
        session = asked.session
        policy = session.policy or session.revision.policy
        asker = None if callee.context is None else self._asker(asked, policy)
        run = await self._runs.start(
            callee,
            arguments,
            policy,
            principal=session.principal,
            headers=asked.headers,
            asker=asker,
            trace=asked.trace,
        )
        return Working(run, exchange)

    def _asker(self, asked: Asked, policy: Policy) -> Asker | None:
        """Who takes no stream cannot be sent a question; the oldest transport has one whatever this request accepts."""
        session = asked.session
        capabilities = session.capabilities or {}
        if policy is MCP_2024_11_05 or acceptable(asked.headers.get("accept")) is not Representation.JSON:
            polled = policy.on_cap is OnCap.END_STREAM
            forms = session.revision.first_forms
            return Live(
                session.expect,
                capabilities,
                tell=session.completed,
                polled=polled,
                first_forms=forms,
                meta=asked.trace.headers(),  # what the client does for us is of the trace it began
            )
        if declared(URL, capabilities):
            call = f"{asked.message.method} {digest(asked.params).hex()}"
            return Referred(session.referrals, call, session.completed)
        return None

    def _exchange(
        self, asked: Asked, *, has_output_schema: bool = False, raw: dict[str, Any] | None = None
    ) -> Exchange:
        meta = asked.params.get("_meta") or {}
        return Exchange(
            asked.message.id,
            asked.session.revision.wire,
            self._offer.namespace,
            progress_token=meta.get("progressToken"),
            level=asked.session.level,
            has_output_schema=has_output_schema,
            raw=raw,
        )


def _normal(asked: Asked) -> str:
    """The URI as changes name it."""
    uri: str = asked.params["uri"]
    return normal(uri) or uri
