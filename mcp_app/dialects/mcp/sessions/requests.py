"""The methods of revisions with sessions: MCP 2025-11-25 and older.

A request returns a result or starts a run. The transport, and how the answer is sent, are not known here; the lists are
in lists.py, the differences between the revisions in protocol/mcp/revisions.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ....asking import URL, Asker, SessionAsker, UrlAsker, declared
from ....authoring.resource import UnknownResource
from ....protocol.errors import InvalidParams, UnknownRun
from ....protocol.event import encode
from ....protocol.http import idempotency_key
from ....protocol.http.accept import Representation
from ....protocol.http.idempotency_key import RepeatableCall
from ....protocol.http.seal import digest
from ....protocol.http.uri_template import normal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.results import failed
from ....protocol.mcp.revisions import Structure, negotiated
from ....protocol.mcp.rpc_error import rpc_error
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import MCP_2024_11_05, OnCap, Policy
from ....runs import Callee, FoundRun, Runs, has_context
from ....web.messages import Request
from ..answering import Answering, acceptable, may_stream
from ..kept import read_kept
from ..lists import LISTS
from ..offer import Offer
from ..request_record import read_request, write_request
from ..validation import validate
from .repeating import called_once, repeatable_call
from .request import SessionRequest
from .session import AnyRun, RequestRun, Session, StartedRun
from .session_record import SessionRecord

_BEFORE_INITIALIZE = frozenset({"initialize", "ping"})
"""Methods that are allowed before initialization: "The initialization phase MUST be the first interaction" (Lifecycle,
Initialization); a ping is harmless."""


class SessionMethods:
    """Processes requests and notifications of sessions."""

    def __init__(self, offer: Offer, runs: Runs, answering: Answering) -> None:
        self._offer = offer
        self._runs = runs
        self._answering = answering
        self._key_name = f"{offer.namespace}{idempotency_key.META_NAME}"
        self._methods: dict[str, Callable[[SessionRequest], Awaitable[dict[str, Any] | AnyRun]]] = {
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

    async def begin(self, session: Session, message: jsonrpc.RpcRequest, http: Request) -> bytes | AnyRun:
        """Start a request. Returns its response, or the run that will have it. Raises RpcError and the errors of
        `Runs.start`."""
        method = self._methods.get(message.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"There is no method {message.method[:100]!r}.")
        if session.record.capabilities is None and message.method not in _BEFORE_INITIALIZE:
            raise RpcError(Code.INVALID_REQUEST, "This session is not initialized: initialize comes first.")
        params = message.params
        if message.method == "initialize":
            params = negotiated(params.get("protocolVersion")).relevant(params)
        validate(message.method, params, session.record.revision.version)
        with session.claim(message.id):
            started = await method(SessionRequest(session, message, http))
            if isinstance(started, AnyRun):
                return started
        return jsonrpc.result(message.id, encode(started))

    async def find(self, session: Session, run_id: str, after: int) -> RequestRun | None:
        """The request with that run, wherever it is worked on, as it is behind event number `after`; None for a run of
        another session, or a forgotten one. No other stream of it sends anything from now on. Raises LogUnavailable."""
        found = session.find(run_id)
        if session.shared is None:
            return found
        if found is None:
            try:
                run = await self._runs.find(run_id, session.principal)
            except UnknownRun:
                return None
            found = await self._found(session, run, after)
        if found is not None:
            await session.shared.resumed(session, run_id)
        return found

    async def _found(self, session: Session, run: FoundRun, after: int) -> RequestRun | None:
        if isinstance(run.beside, Transcript):  # the session is known here again since it began
            found = RequestRun(run, run.beside)
        elif run.extra:
            info, _ = read_request(run.extra, self._offer.namespace, {})
            if info.session != session.id:
                return None
            found = RequestRun(run, await self._answering.restored(run, info, min(after, run.events)))
        else:
            return None
        session.resumed(found)
        return found

    async def receive_notification(self, session: Session, message: jsonrpc.RpcNotification) -> None:
        """Process a notification. Unknown ones are ignored (JSON-RPC 2.0, 4.1)."""
        if message.method == "notifications/initialized":
            await session.change(SessionRecord.begin)
        elif message.method == "notifications/cancelled":
            request = jsonrpc.read_id(message.params.get("requestId"))
            if request is not None and not session.cancel(request) and session.shared is not None:
                await session.shared.cancel(session, request)

    # --- the session -------------------------------------------------------------------------------------------------

    async def _initialize(self, request: SessionRequest) -> dict[str, Any]:
        session = request.session
        if session.record.capabilities is not None:
            raise RpcError(Code.INVALID_REQUEST, "This session has been initialized before.")
        params = request.params
        await session.change(lambda record: record.initialize(params["protocolVersion"], params["capabilities"]))
        revision = session.record.revision
        return {
            "protocolVersion": revision.version,
            "capabilities": self._offer.capabilities,
            **self._offer.introduction(revision.wire),
        }

    async def _ping(self, request: SessionRequest) -> dict[str, Any]:
        return {}

    async def _set_level(self, request: SessionRequest) -> dict[str, Any]:
        level = request.params["level"]
        await request.session.change(lambda record: record.set_level(level))
        return {}

    async def _subscribe(self, request: SessionRequest) -> dict[str, Any]:
        self._match(request)
        await request.session.change(lambda record: record.subscribe(request.params["uri"], _normal(request)))
        return {}

    async def _unsubscribe(self, request: SessionRequest) -> dict[str, Any]:
        await request.session.change(lambda record: record.unsubscribe(request.params["uri"], _normal(request)))
        return {}

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _list(self, request: SessionRequest) -> dict[str, Any]:
        return self._offer.lists.page(
            request.message.method,
            request.params.get("cursor"),
            request.session.record.revision.wire,
            request.http.access,
        )

    async def _complete(self, request: SessionRequest) -> dict[str, Any]:
        return await self._offer.complete(request.params, request.http)

    # --- requests that start a run -----------------------------------------------------------------------------------

    async def _call_tool(self, request: SessionRequest) -> dict[str, Any] | AnyRun:
        tool = self._offer.tools.get(request.params["name"], request.http.access)
        info = self._info(request, tool, request.session.record.revision.wire.structure(tool.structure))
        try:
            arguments = self._offer.arguments(tool, request.params)
        except InvalidParams as error:  # for the model to correct (SEP-1303)
            return failed(info, error.object())
        if self._key_name not in (request.params.get("_meta") or ()):
            return await self._run(request, tool, arguments, info)
        policy = request.policy.keyed or request.policy
        call = repeatable_call(request.params, self._key_name, policy)
        start = partial(self._run, request, tool, arguments, info, policy, call)
        return await called_once(self._runs, request, call, tool, info, start)

    async def _get_prompt(self, request: SessionRequest) -> StartedRun:
        prompt = self._offer.prompts.get(request.params["name"], request.http.access)
        arguments = self._offer.prompt_arguments(prompt, request.params)
        return await self._run(request, prompt, arguments, self._info(request, prompt, raw={}))

    async def _read_resource(self, request: SessionRequest) -> dict[str, Any] | StartedRun:
        kept = await read_kept(self._runs, request.params["uri"], request.session.principal)
        if kept is not None:
            return kept
        reading, arguments = self._match(request)
        return await self._run(request, reading, arguments, self._info(request, reading, raw={}))

    def _match(self, request: SessionRequest) -> Any:
        try:
            return self._offer.resources.match(request.params["uri"], request.http.access)
        except UnknownResource as error:
            refused = rpc_error(error)
            refused.code = Code.RESOURCE_NOT_FOUND
            raise refused from None

    async def _run(
        self,
        request: SessionRequest,
        callee: Callee,
        arguments: dict[str, Any],
        info: RequestInfo,
        policy: Policy | None = None,
        call: RepeatableCall | None = None,
    ) -> StartedRun:
        """Start a run, by the session's row unless `policy` is given. `call` has its key, if it may be repeated."""
        session, own = request.session, request.policy
        asker = await self._asker(request, own) if has_context(callee) else None
        may_stream(request.http, callee.name, listens=True)  # or asks, on its stream
        run = await self._runs.start(
            callee,
            arguments,
            policy or own,
            access=request.http.access,
            payer=request.http.payer,
            headers=request.http.headers,
            body=request.http.body,
            key=None if call is None else call.key,
            identity=None if call is None else call.identity,
            extra=write_request(info) if call is not None and self._runs.elsewhere is not None else b"",
            asker=asker,
            trace=request.trace,
        )
        run.beside = transcript = Transcript(info)
        session.track(request.message.id, run, transcript)
        return StartedRun(run, transcript)

    async def _asker(self, request: SessionRequest, policy: Policy) -> Asker | None:
        """The request's asker; None if its client accepts no stream, on which questions are sent, and cannot open URLs.
        The oldest transport has a stream, whatever the request accepts."""
        session = request.session
        capabilities = session.record.capabilities or {}
        if policy is MCP_2024_11_05 or acceptable(request.http.headers.get("accept")) is not Representation.JSON:
            polled = policy.on_cap is OnCap.END_STREAM
            forms = session.record.revision.first_forms
            return SessionAsker(
                session.expect,
                capabilities,
                notify=session.completed,
                polled=polled,
                first_forms=forms,
                meta=request.trace.headers(),  # the client's work for us belongs to the trace that it started
            )
        if declared(URL, capabilities):
            call = f"{request.message.method} {digest(request.params).hex()}"
            return UrlAsker(session.referrals, call, await session.referrals.take(call), session.completed)
        return None

    def _info(
        self,
        request: SessionRequest,
        callee: Callee,
        structure: Structure = Structure.ABSENT,
        raw: dict[str, Any] | None = None,
    ) -> RequestInfo:
        return RequestInfo(
            request.message.id,
            request.session.record.revision.wire,
            self._offer.namespace,
            progress_token=jsonrpc.read_id((request.params.get("_meta") or {}).get("progressToken")),
            level=request.session.record.level,
            counted=not has_context(callee),
            structure=structure,
            raw=raw,
            session=request.session.id,
        )


def _normal(request: SessionRequest) -> str:
    """The URI in the normal form that notifications of changes use."""
    uri: str = request.params["uri"]
    return normal(uri) or uri
