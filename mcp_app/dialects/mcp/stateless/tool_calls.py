"""tools/call without a session: by which row it is made, and the run that a repeated call has started before.

A call with an idempotency key in `_meta` is worked on once: each request with the key is answered with that run's
result, or with the task that it has become. Each round of a call that asks its caller is a request of its own, and is
told by its `requestState`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

from ....authoring.tool import Tool
from ....nodes.remote_run import RemoteRun
from ....protocol.errors import InvalidParams
from ....protocol.http import idempotency_key
from ....protocol.http.idempotency_key import RepeatableCall
from ....protocol.http.seal import fingerprint
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY
from ....protocol.mcp.results import failed
from ....protocol.mcp.revisions import STATELESS_WIRE, Structure
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import MCP_TASK, Policy
from ....runs import Run, Runs
from ....runs.found import FoundRun
from ....runs.repeating import find_repeated, found_or_started
from ....web.messages import Answer
from ..answering import may_stream
from ..filtering import Promote
from ..offer import Offer
from .request import Started, StatelessRequest, StatelessRun
from .starting import StatelessStarting
from .subscriptions import Subscription
from .task import Task
from .tasks import Tasks


class ToolCalls:
    """Answers tools/call."""

    def __init__(self, offer: Offer, runs: Runs, starting: StatelessStarting, tasks: Tasks) -> None:
        self._offer = offer
        self._runs = runs
        self._starting = starting
        self._tasks = tasks
        self._key_name = f"{offer.namespace}{idempotency_key.META_NAME}"

    async def call(self, request: StatelessRequest) -> Started:
        """Call the tool, or find the run of the call that is repeated. Raises RpcError and the errors of
        `Runs.start`."""
        tool = self._offer.tools.get(request.params["name"], request.http.access)
        structure = STATELESS_WIRE.structure(tool.structure)
        given = request.params.get("arguments")
        try:
            arguments = self._offer.arguments(tool, request.params)
        except InvalidParams as error:  # for the model to correct (SEP-1303)
            request.binding.check_arguments(request.http.headers, request.message, tool.mirrors)
            return self._starting.result(request, failed(self._starting.info(request, tool, structure), error.object()))
        # After the arguments: a header field repeats what they are, however a model wrote them.
        request.binding.check_arguments(request.http.headers, request.message, tool.mirrors)
        meta = request.meta
        capabilities = meta[CLIENT_CAPABILITIES_KEY]
        if Tasks.starts(tool, capabilities):
            policy = MCP_TASK
        elif (followed := request.binding.followed) is not None and Tasks.promotes(tool, capabilities):
            policy = followed
        else:
            policy = request.binding.policy
        repaired = request.params.get("arguments") is not given
        if self._key_name not in meta:
            return await self._start(request, tool, arguments, structure, policy, None, repaired=repaired)
        policy = policy.keyed or policy
        call = self._repeatable(request, policy)
        principal = request.http.principal
        find = partial(find_repeated, self._runs, call, principal, tool)
        start = partial(self._start, request, tool, arguments, structure, policy, call, repaired=repaired)
        async with self._runs.lock(principal, call.key):
            found = await found_or_started(find, start)
        if isinstance(found, Answer | StatelessRun | Subscription):
            return found
        return await self._again(request, tool, structure, found)

    def _start(
        self,
        request: StatelessRequest,
        tool: Tool,
        arguments: dict[str, Any],
        structure: Structure,
        policy: Policy,
        call: RepeatableCall | None,
        *,
        repaired: bool,
    ) -> Awaitable[Started]:
        if policy is MCP_TASK or policy.promoted_to is not None:
            return self._start_task(request, tool, arguments, structure, policy, call)
        return self._starting.run(
            request, tool, arguments, structure, policy=policy, call=call, once=tool.once, repaired=repaired
        )

    async def _start_task(
        self,
        request: StatelessRequest,
        tool: Tool,
        arguments: dict[str, Any],
        structure: Structure,
        policy: Policy,
        call: RepeatableCall | None,
    ) -> Started:
        """Start a call that is a task, or may become one."""
        states, asker = await self._starting.retry_asker(request, once=tool.once)
        info = self._starting.info(request, tool, structure, seal=states.seal)
        task = self._tasks.new(info, asker, request.http.body)
        params = (request.params.get("arguments") or {}) if tool.restarts else None
        if policy is MCP_TASK:
            return await self._tasks.call(request.http, tool, arguments, task, request.trace, call, params)
        may_stream(request.http, tool.name, listens=info.listens)
        run = await self._starting.start(request, tool, arguments, policy, task, call, params)
        return StatelessRun(run, task.transcript, partial(self._tasks.promote, run, task, info))

    # --- repeated calls ----------------------------------------------------------------------------------------------

    def _repeatable(self, request: StatelessRequest, policy: Policy) -> RepeatableCall:
        """The call with its key. Raises InvalidRequest."""
        params = request.params
        key = idempotency_key.check_key(request.meta[self._key_name], f"params._meta.{self._key_name}")
        state = params.get("requestState")
        if state is not None:
            key = f"{key} {fingerprint(state)}"
        said = {name: params.get(name) for name in ("arguments", "inputResponses")}
        return idempotency_key.repeatable(key, policy, said)

    async def _again(self, request: StatelessRequest, tool: Tool, structure: Structure, run: FoundRun) -> Started:
        info = self._starting.info(request, tool, structure, seal=self._starting.states(request).seal)
        info = info._replace(open_asks=_none_open)
        promote: Promote | None = None
        if isinstance(run, Run) and isinstance(task := run.asker, Task):
            if task.asking:
                await run.stopped()  # the round is about to end with its questions
            if task.deferred or (run.policy is MCP_TASK and not run.over):
                return await self._tasks.again(run, task, info)
            promote = partial(self._tasks.promote, run, task, info)
        elif isinstance(run, RemoteRun) and not run.over:
            if run.policy is MCP_TASK and (task_there := await self._tasks.again_elsewhere(run, info)) is not None:
                return task_there
            if run.policy.promoted_to is not None:
                promote = partial(self._tasks.promote_elsewhere, run, info)
        may_stream(request.http, tool.name, listens=info.listens)
        return StatelessRun(run, Transcript(info), promote)


def _none_open(_: object) -> bool:
    """Without a session nothing is asked on a stream."""
    return False
