"""One request of a session. The methods are in requests.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....protocol.http.trace import Trace, extract_trace
from ....protocol.mcp import jsonrpc
from ....protocol.policy import Policy
from ....web.messages import Request
from .session import Session


@dataclass(slots=True)
class SessionRequest:
    """One request of a session, its parameters validated."""

    session: Session
    message: jsonrpc.RpcRequest
    http: Request

    @property
    def params(self) -> dict[str, Any]:
        return self.message.params

    @property
    def policy(self) -> Policy:
        """The row of its runs."""
        record = self.session.record
        return record.policy or record.revision.policy

    @property
    def trace(self) -> Trace:
        meta = self.message.params.get("_meta")
        return extract_trace(self.http.headers, meta if isinstance(meta, dict) else None)
