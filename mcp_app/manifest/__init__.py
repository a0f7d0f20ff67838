"""mcp.json, validated, and the discovery documents that clients find the server by.

`load_manifest` reads the file; `documents_of` combines it with the state of the live server into the documents that are
served. Nothing here opens a socket, knows Quart, or reads the clock; only `load` and `mcp_app.config.defaults` access
the disk.
"""

from .card import Card, CardIcon, Repository, Streaming
from .documents import LiveServer, ToolFacts, server_info, tool_entry
from .explain import ManifestError
from .load import FILE_NAME, load_manifest
from .manifest import Manifest, parse_manifest
from .paths import DOCUMENT_PATHS, MCP_PATH, SSE_PATH
from .serialised import CORS, Document, documents_of

__all__ = [
    "CORS",
    "DOCUMENT_PATHS",
    "FILE_NAME",
    "MCP_PATH",
    "SSE_PATH",
    "Card",
    "CardIcon",
    "Document",
    "LiveServer",
    "Manifest",
    "ManifestError",
    "Repository",
    "Streaming",
    "ToolFacts",
    "documents_of",
    "load_manifest",
    "parse_manifest",
    "server_info",
    "tool_entry",
]
