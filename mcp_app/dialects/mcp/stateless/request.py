"""One request of the revision without sessions, and what it has started. The methods are in requests.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ....protocol.http.trace import Trace, extract_trace
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY
from ....protocol.mcp.transcript import Transcript
from ....runs import FoundRun
from ....web.messages import Answer, Request
from ..filtering import Promote
from .binding import Binding
from .subscriptions import Subscription


@dataclass(slots=True)
class StatelessRequest:
    """One request, its parameters validated."""

    http: Request
    message: jsonrpc.RpcRequest
    binding: Binding

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
        """The client's capabilities, as declared in this request."""
        capabilities: Mapping[str, Any] = self.meta[CLIENT_CAPABILITIES_KEY]
        return capabilities


class StatelessRun(NamedTuple):
    """A request that has started a run, or repeats one that has. `promote` makes the last message of a stream whose run
    goes on as a task."""

    run: FoundRun
    transcript: Transcript
    promote: Promote | None = None


Started = Answer | StatelessRun | Subscription
"""What a request has started: an answer that is complete, or what it is going to be made of."""
