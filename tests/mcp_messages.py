"""What a client of MCP says of itself, with nothing special in it. Not a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_CLIENT = {"name": "test", "version": "1"}

INITIALIZE: Final[Mapping[str, Any]] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT},
}
"""The first message of a session."""

META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _CLIENT,
}
"""`_meta` of a request without sessions."""
