"""Converts any exception to a JSON-RPC error: unexpected ones are masked and logged. Nothing is answered here."""

from __future__ import annotations

import logging
import secrets

from ...protocol.errors import InternalError, McpAppError
from ...protocol.mcp.jsonrpc import Id, RpcError
from ...protocol.mcp.rpc_error import rpc_error

logger = logging.getLogger("mcp_app.mcp")


def as_rpc_error(error: BaseException, request: Id | None = None) -> RpcError:
    """The error in a form that may be sent to clients, with the id of the request if it is known."""
    if isinstance(error, RpcError):
        converted = error
    elif isinstance(error, McpAppError):
        converted = rpc_error(error)
    else:
        error_id = secrets.token_hex(8)
        logger.error("an MCP request failed [error_id %s]", error_id, exc_info=error)
        converted = rpc_error(InternalError("The server failed to answer.", error_id=error_id))
    if converted.id is None:
        converted.id = request
    return converted
