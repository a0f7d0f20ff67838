"""One URL for every MCP client: which era a message belongs to, and JSON-RPC errors for all that goes wrong.

A modern request carries its revision in `_meta`; a client of the older ones opens with `initialize` and then names its
session. Nothing is answered here but errors.
"""

from __future__ import annotations

import logging
import secrets

from ...protocol import jsonrpc, mcp_headers, strict_json
from ...protocol.errors import InternalError, InvalidRequest, McpAppError
from ...protocol.jsonrpc import Code, Id, RpcError
from ...protocol.rpc_error import rpc_error
from ..calls import check_content_type
from ..exchange import Answer, Request, json_answer
from ..guard import Guard
from .modern import Modern

logger = logging.getLogger("mcp_app.mcp")

LEGACY = frozenset({"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"})
"""Revisions with sessions, whose MCP-Protocol-Version names them."""

REVISIONS = ("2026-07-28",)
"""Those this server speaks, newest first: what discovery lists and an unknown one is answered with."""


class Dispatch:
    """Answers POSTs to the MCP endpoint."""

    def __init__(self, guard: Guard, modern: Modern) -> None:
        self._guard = guard
        self._modern = modern

    async def post(self, request: Request) -> Answer:
        """One message."""
        known: Id | None = None
        try:
            self._guard.check_start(request)
            check_content_type(request)
            message = jsonrpc.parse(request.body)
            known = getattr(message, "id", None)
            return await self._dispatch(request, message)
        except RpcError as error:
            return _error(error, known)
        except McpAppError as error:
            return _error(rpc_error(error), known)
        except Exception as error:
            error_id = secrets.token_hex(8)
            logger.exception("an MCP request failed [error_id %s]", error_id, exc_info=error)
            return _error(rpc_error(InternalError("The server failed to answer.", error_id=error_id)), known)

    async def _dispatch(self, request: Request, message: jsonrpc.Message | list[jsonrpc.Message | RpcError]) -> Answer:
        if isinstance(message, list):
            raise RpcError(
                Code.INVALID_REQUEST, "Batches are of revision 2025-03-26 only: send each message by itself."
            )
        if isinstance(message, jsonrpc.Notification):
            return Answer(202, ())
        if isinstance(message, jsonrpc.Response):
            raise RpcError(Code.INVALID_REQUEST, "This server has asked nothing that a response could answer.")
        if not is_modern(request, message):
            raise RpcError(
                Code.UNSUPPORTED_PROTOCOL_VERSION,
                "This server speaks MCP 2026-07-28, whose requests carry their revision in _meta.",
                data={"supported": list(self._modern.supported)},
            )
        return await self._modern.answer(request, message)


def is_rpc(body: bytes) -> bool:
    """Whether a body is a JSON-RPC message, or a batch of them, rather than a call in the plain dialect."""
    if b'"jsonrpc"' not in body:
        return False
    try:
        value = strict_json.loads(body)
    except InvalidRequest:
        return False  # both dialects refuse it, and the plain one in its own words
    return isinstance(value, list) or (isinstance(value, dict) and "jsonrpc" in value)


def is_modern(request: Request, message: jsonrpc.Request) -> bool:
    """By what only modern clients send: the revision in `_meta`, server/discover, or a header with no legacy revision.

    Not by Mcp-Method, which some send with `initialize` as well.
    """
    meta = message.params.get("_meta")
    if isinstance(meta, dict) and mcp_headers.VERSION_KEY in meta:
        return True
    if message.method == "server/discover":
        return True
    header = request.headers.get("mcp-protocol-version")
    return header is not None and header not in LEGACY and message.method != "initialize"


def _error(error: RpcError, known: Id | None) -> Answer:
    if error.id is None:
        error.id = known
    return json_answer(error.status, error.encode(), *error.headers.items())
