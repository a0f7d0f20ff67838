"""What a transport settles for requests without a session: how a run is kept, and what repeats the message around it.

"A transport is a binding: it defines how messages are framed and delivered, how request metadata is carried, and how
cancellation and termination are signaled" (2026-07-28, basic/transports). Data and checks; no request is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ....protocol.mcp import headers as mcp_headers
from ....protocol.mcp.headers import Mirror
from ....protocol.mcp.jsonrpc import RpcRequest
from ....protocol.mcp.revisions import STATELESS
from ....protocol.policy import MCP_2026_07_28, MCP_2026_07_28_FOLLOWED, MCP_STDIO, Policy


@dataclass(frozen=True, slots=True)
class Binding:
    """One transport.

    `policy` is that of its requests, `followed` that of a tools/call whose client can follow a task, None if it is
    never promoted. `check_request` and `check_arguments` compare the message with its envelope; they raise RpcError.
    """

    policy: Policy
    followed: Policy | None
    check_request: Callable[[Mapping[str, str], RpcRequest], None]
    check_arguments: Callable[[Mapping[str, str], RpcRequest, tuple[Mirror, ...]], None]


def _check_headers(headers: Mapping[str, str], message: RpcRequest) -> None:
    """A revision that is not spoken, and that header and body agree on, may have other header fields than ours."""
    declared = message.params["_meta"][mcp_headers.VERSION_KEY]
    if declared == STATELESS or declared != headers.get("mcp-protocol-version"):
        mcp_headers.check_request(headers, message)


HTTP = Binding(MCP_2026_07_28, MCP_2026_07_28_FOLLOWED, _check_headers, mcp_headers.check_arguments)

STDIO = Binding(MCP_STDIO, None, lambda *_: None, lambda *_: None)
""""There is no header layer" (stdio, Request Metadata)."""
