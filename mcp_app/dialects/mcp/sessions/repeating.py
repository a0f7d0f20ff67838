"""A tools/call that a client repeats with its idempotency key: the run that it has started before, for this request.

How a run is found by a key is known in runs/repeating.py, how it is answered in answering.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ....authoring.tool import Tool
from ....protocol.http import idempotency_key
from ....protocol.http.idempotency_key import RepeatableCall
from ....protocol.mcp.jsonrpc import Id
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.transcript import Transcript
from ....protocol.policy import OnLeave, Policy
from ....runs import FoundRun, Runs
from ....runs.repeating import find_repeated, found_or_started
from ..answering import may_stream
from .request import SessionRequest
from .session import AnyRun, RequestRun, Session, StartedRun


def repeatable_call(params: Mapping[str, Any], key_name: str, policy: Policy) -> RepeatableCall:
    """The call with the key that its `_meta` has. Raises InvalidRequest."""
    key = idempotency_key.check_key(params["_meta"][key_name], f"params._meta.{key_name}")
    return idempotency_key.repeatable(key, policy, {"arguments": params.get("arguments")})


async def called_once(
    runs: Runs,
    request: SessionRequest,
    call: RepeatableCall,
    tool: Tool,
    info: RequestInfo,
    start: Callable[[], Awaitable[StartedRun]],
) -> AnyRun:
    """The run of the call: the one that an earlier request has started, or `start()`, which starts it under its key.
    Raises IdempotencyKeyReused and what `start` raises."""
    principal = request.http.principal
    async with runs.lock(principal, call.key):
        found = await found_or_started(lambda: find_repeated(runs, call, principal, tool), start)
    if isinstance(found, StartedRun):
        return found
    may_stream(request.http, tool.name, listens=True)
    return _joined(request.session, request.message.id, found, info)


def _joined(session: Session, request: Id, run: FoundRun, info: RequestInfo) -> RequestRun:
    """The run of the call, from its start, for the request of `info`.

    Each message goes out on one stream: where the session outlives its streams, that of the request before ends, and
    what the tool has asked there without an answer is asked here. The session that was asked is the one to answer.
    """
    session.join(request, run)
    first = session.find(run.id) if run.policy.on_leave is OnLeave.GO_ON else None
    if first is not None:
        first.transcript.acquire()
    open_asks = _none_open if first is None else session.expects
    return RequestRun(run, Transcript(info._replace(open_asks=open_asks)))


def _none_open(_: object) -> bool:
    return False
