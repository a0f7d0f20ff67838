"""mcp.json: what its author writes about a server, checked, and the documents that clients find the server by.

`load_manifest` reads the file; `doors` joins it with what the live server knows into the documents that are served.
Nothing here opens a socket, knows Quart, or asks the clock; only `load` and `mcp_app.config.defaults` touch the disk.
"""

from .card import Card, Icon, Repository, Streaming
from .documents import LiveServer, ToolFacts
from .doors import CORS, Door, doors
from .explain import ManifestError
from .load import FILE_NAME, load_manifest
from .manifest import Manifest, parse_manifest
from .paths import DOOR_PATHS, MCP_PATH

__all__ = [
    "CORS",
    "DOOR_PATHS",
    "FILE_NAME",
    "MCP_PATH",
    "Card",
    "Door",
    "Icon",
    "LiveServer",
    "Manifest",
    "ManifestError",
    "Repository",
    "Streaming",
    "ToolFacts",
    "doors",
    "load_manifest",
    "parse_manifest",
]
