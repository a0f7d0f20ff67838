"""What a client of a session can ask for: the methods of MCP 2025-11-25 and older.

A request becomes a result at once, or a run. Which transport it came by, and how its answer goes out, is not known
here; the lists are offer.py's, what differs between the revisions stands in protocol/mcp/revisions.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ....asking import URL, Asker, SessionAsker, UrlAsker, declared
from ....authoring.resource import UnknownResource
from ....protocol.errors import InvalidParams
from ....protocol.event import encode
from ....protocol.http.accept import Representation
from ....protocol.http.seal import digest
from ....protocol.http.trace import Trace, extract_trace
from ....protocol.http.uri_template import normal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.asked import Asked
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.results import failed
from ....protocol.mcp.revisions import Structure, negotiated
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import MCP_2024_11_05, OnCap, Policy
from ....runs import Callee, Runs
from ..answering import acceptable
from ..offer import LISTS, Offer
from ..validation import validate
from .session import Session, Working

_BEFORE_INITIALIZE = frozenset({"initialize", "ping"})
""" "The initialization phase MUST be the first interaction" (Lifecycle, Initialization); a ping is no harm."""


@dataclass(slots=True)
class SessionRequest:
    """One request of a session, its parameters validated."""

    session: Session
    message: jsonrpc.RpcRequest
    headers: Mapping[str, str]

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    @property
    def trace(self) -> Trace:
        meta = self.message.params.get("_meta")
        return extract_trace(self.headers, meta if isinstance(meta, dict) else None)


class Legacy:
    """Works on requests and notifications of sessions."""

    def __init__(self, offer: Offer, runs: Runs) -> None:
        self._offer = offer
        self._runs = runs
        self._methods: dict[str, Callable[[SessionRequest], Awaitable[dict[str, Any] | Working]]] = {
            "initialize": self._initialize,
            "ping": self._ping,
            **dict.fromkeys(LISTS, self._list),
            "tools/call": self._call_tool,
            "resources/read": self._read_resource,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "logging/setLevel": self._set_level,
        }

    async def begin(self, session: Session, message: jsonrpc.RpcRequest, headers: Mapping[str, str]) -> bytes | Working:
        """The response, or the run that will have it. Raises RpcError and the errors of the runs."""
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"There is no method {message.method[:100]!r}.")
        if session.capabilities is None and message.method not in _BEFORE_INITIALIZE:
            raise RpcError(Code.INVALID_REQUEST, "This session is not initialized: initialize comes first.")
        validate(message.method, message.params, session.revision.version)
        with session.claim(message.id):
            begun = await method(SessionRequest(session, message, headers))
            if isinstance(begun, Working):
                session.begin(message.id, begun)
                return begun
        return jsonrpc.result(message.id, encode(begun))

    def notified(self, session: Session, message: jsonrpc.RpcNotification) -> None:
        """What a client tells. Notifications that are not known mean nothing (JSON-RPC 2.0, 4.1)."""
        if message.method == "notifications/initialized":
            session.initialized = session.capabilities is not None
        elif message.method == "notifications/cancelled":
            request = message.params.get("requestId")
            if jsonrpc.is_id(request):
                session.cancel(request)

    # --- the session -------------------------------------------------------------------------------------------------

    async def _initialize(self, request: SessionRequest) -> dict[str, Any]:
        session = request.session
        if session.capabilities is not None:
            raise RpcError(Code.INVALID_REQUEST, "This session has been initialized before.")
        session.revision = negotiated(request.params["protocolVersion"])
        session.capabilities = session.revision.capabilities(request.params["capabilities"])
        if session.policy is None:
            session.policy = session.revision.policy
        return {
            "protocolVersion": session.revision.version,
            "capabilities": self._offer.capabilities,
            "serverInfo": self._offer.server_info,
        }

    async def _ping(self, request: SessionRequest) -> dict[str, Any]:
        return {}

    async def _set_level(self, request: SessionRequest) -> dict[str, Any]:
        request.session.level = request.params["level"]
        return {}

    async def _subscribe(self, request: SessionRequest) -> dict[str, Any]:
        self._match(request.params["uri"])
        request.session.subscribe(request.params["uri"], _normal(request))
        return {}

    async def _unsubscribe(self, request: SessionRequest) -> dict[str, Any]:
        request.session.unsubscribe(request.params["uri"], _normal(request))
        return {}

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _list(self, request: SessionRequest) -> dict[str, Any]:
        return self._offer.listed(request.message.method, request.params, request.session.revision.wire)

    async def _complete(self, request: SessionRequest) -> dict[str, Any]:
        return await self._offer.complete(request.params, self._runs.threads)

    # --- what runs ---------------------------------------------------------------------------------------------------

    async def _call_tool(self, request: SessionRequest) -> dict[str, Any] | Working:
        tool = self._offer.tools.get(request.params["name"])
        asked = self._asked(request, request.session.revision.wire.structure(tool.structure))
        try:
            arguments = tool.arguments(request.params.get("arguments") or {})
        except InvalidParams as error:  # for the model to mend (SEP-1303)
            return failed(asked, error.object())
        return await self._run(request, tool, arguments, asked)

    async def _get_prompt(self, request: SessionRequest) -> Working:
        prompt = self._offer.prompts.get(request.params["name"])
        arguments = prompt.arguments(request.params.get("arguments") or {})
        return await self._run(request, prompt, arguments, self._asked(request, raw={}))

    async def _read_resource(self, request: SessionRequest) -> Working:
        reading, arguments = self._match(request.params["uri"])
        return await self._run(request, reading, arguments, self._asked(request, raw={}))

    def _match(self, uri: str) -> Any:
        try:
            return self._offer.resources.match(uri)
        except UnknownResource as error:
            raise RpcError(Code.RESOURCE_NOT_FOUND, error.message, data={**error.object(), "uri": uri}) from None

    async def _run(self, request: SessionRequest, callee: Callee, arguments: dict[str, Any], asked: Asked) -> Working:
        session = request.session
        policy = session.policy or session.revision.policy
        asker = None if callee.context is None else self._asker(request, policy)
        run = await self._runs.start(
            callee,
            arguments,
            policy,
            principal=session.principal,
            headers=request.headers,
            asker=asker,
            trace=request.trace,
        )
        run.beside = transcript = Transcript(asked)
        return Working(run, transcript)

    def _asker(self, request: SessionRequest, policy: Policy) -> Asker | None:
        """Who takes no stream cannot be sent a question; the oldest transport has one whatever this request accepts."""
        session = request.session
        capabilities = session.capabilities or {}
        if policy is MCP_2024_11_05 or acceptable(request.headers.get("accept")) is not Representation.JSON:
            polled = policy.on_cap is OnCap.END_STREAM
            forms = session.revision.first_forms
            return SessionAsker(
                session.expect,
                capabilities,
                notify=session.completed,
                polled=polled,
                first_forms=forms,
                meta=request.trace.headers(),  # what the client does for us is of the trace it began
            )
        if declared(URL, capabilities):
            call = f"{request.message.method} {digest(request.params).hex()}"
            return UrlAsker(session.referrals, call, session.completed)
        return None

    def _asked(
        self, request: SessionRequest, structure: Structure = Structure.ABSENT, raw: dict[str, Any] | None = None
    ) -> Asked:
        return Asked(
            request.message.id,
            request.session.revision.wire,
            self._offer.namespace,
            progress_token=(request.params.get("_meta") or {}).get("progressToken"),
            level=request.session.level,
            structure=structure,
            raw=raw,
        )


def _normal(request: SessionRequest) -> str:
    """The URI as changes name it."""
    uri: str = request.params["uri"]
    return normal(uri) or uri
