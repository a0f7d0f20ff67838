"""Starts the run of a request without a session: with the asker of its round, and what its messages depend on.

Which tool, prompt or resource is meant was decided before; what is answered is in answering.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ....asking import Asker, LazyAsker, RetryAsker
from ....protocol.event import encode
from ....protocol.http.idempotency_key import RepeatableCall
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.params import LOG_LEVEL_KEY, SERVER_INFO_KEY
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.revisions import STATELESS_WIRE, Structure
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import Policy
from ....runs import Callee, Run, Runs, has_context
from ....web.messages import Answer, json_answer
from ..answering import may_stream
from ..offer import Offer
from .request import StatelessRequest, StatelessRun
from .request_state import BoundStates, LazyBoundStates, States


class StatelessStarting:
    """Starts runs. `meta` are the members of the `_meta` of every result."""

    def __init__(self, offer: Offer, runs: Runs, states: States) -> None:
        self._offer = offer
        self._runs = runs
        self._states = states
        self.meta = {SERVER_INFO_KEY: offer.identity}

    async def run(
        self,
        request: StatelessRequest,
        callee: Callee,
        arguments: dict[str, Any],
        structure: Structure = Structure.ABSENT,
        raw: dict[str, Any] | None = None,
        *,
        policy: Policy | None = None,
        call: RepeatableCall | None = None,
        once: bool = False,
        repaired: bool = False,
    ) -> StatelessRun:
        """Start one that lasts as long as its request, by the transport's row unless `policy` is given. `call` has its
        key, if it may be repeated. `once`: a `requestState` can be used only once. `repaired`: the arguments are not
        those of the body. Raises StateRefused and the errors of `Runs.start`."""
        asker: Asker | None = None
        states: BoundStates | LazyBoundStates | None = None
        if repaired or request.params.get("requestState") is not None:
            states, asker = await self.retry_asker(request, once=once)
        elif has_context(callee):
            states = LazyBoundStates(self._states, request.http.principal, request.http.body)
            asker = LazyAsker(request.capabilities, states.asker)
        info = self.info(request, callee, structure, raw, None if states is None else states.seal)
        may_stream(request.http, callee.name, listens=info.listens)
        run = await self.start(request, callee, arguments, policy or request.binding.policy, asker, call)
        return StatelessRun(run, Transcript(info))

    async def start(
        self,
        request: StatelessRequest,
        callee: Callee,
        arguments: dict[str, Any],
        policy: Policy,
        asker: Asker | None,
        call: RepeatableCall | None,
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """Start one by any row. `params` are the arguments as JSON, if it may begin again. Raises the errors of
        `Runs.start`."""
        return await self._runs.start(
            callee,
            arguments,
            policy,
            access=request.http.access,
            payer=request.http.payer,
            headers=request.http.headers,
            body=request.http.body,
            key=None if call is None else call.key,
            identity=None if call is None else call.identity,
            asker=asker,
            trace=request.trace,
            params=params,
        )

    async def retry_asker(self, request: StatelessRequest, *, once: bool) -> tuple[BoundStates, RetryAsker]:
        """The call's asker, which continues from the request's state. Raises StateRefused."""
        # First: a single-use state would be lost if it were opened for a call that cannot start.
        self._runs.check(payer=request.http.payer)
        states = self.states(request)
        state = await states.open(once=once)
        return states, states.asker(state)

    def states(self, request: StatelessRequest) -> BoundStates:
        """What seals and opens the states of this call."""
        return BoundStates(self._states, request.http.principal, request.message.method, request.params)

    def info(
        self,
        request: StatelessRequest,
        callee: Callee,
        structure: Structure,
        raw: dict[str, Any] | None = None,
        seal: Callable[[Any], str] | None = None,
    ) -> RequestInfo:
        """What the request's messages depend on."""
        return RequestInfo(
            request.message.id,
            STATELESS_WIRE,
            self._offer.namespace,
            progress_token=jsonrpc.read_id(request.meta.get("progressToken")),
            level=request.meta.get(LOG_LEVEL_KEY),
            counted=not has_context(callee),
            structure=structure,
            raw=raw,
            meta=self.meta,
            seal=seal,
        )

    def result(self, request: StatelessRequest, result: dict[str, Any]) -> Answer:
        """The answer to a request that is answered without a run."""
        meta = {**self.meta, **result.get("_meta", {})}
        typed = {"resultType": "complete", **result, "_meta": meta}
        return json_answer(200, jsonrpc.result(request.message.id, encode(typed)))
