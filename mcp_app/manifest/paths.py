"""The paths of the server's routes: the one that mcp.json configures, those derived from it, and the fixed ones.

Only paths, as text: the handlers are in web, and no URL is built here.
"""

from __future__ import annotations

import re

DEFAULT_EVENTS_PATH = "/api/v1/mcp/sse"
"""The path in the tutorial's curl command."""

MCP_PATH = "/mcp"
"""The conventional path of an MCP endpoint, which hosts try when the user enters a bare domain."""

SSE_PATH = "/sse"
"""The conventional path of HTTP+SSE, the transport of MCP 2024-11-05. mcp.json may choose it for the SSE path, which
speaks that transport as well."""

CARD_PATH = f"{MCP_PATH}/server-card"
"""Reserved by the server card extension (discovery.md, "Server Card Location"): the MCP URL and /server-card."""

CATALOG_PATH = "/.well-known/ai-catalog.json"
PLAIN_PATHS = ("/mcp.json", "/.well-known/mcp.json")
LISTING_PATH = "/.well-known/mcp/server-card.json"
OPENAPI_PATH = "/openapi.json"
"""Where clients of OpenAPI look, below the URL that they are given."""

DOCUMENT_PATHS = (CARD_PATH, CATALOG_PATH, *PLAIN_PATHS, LISTING_PATH, OPENAPI_PATH)
"""The paths of the discovery documents."""

MESSAGES_PATHS = (f"{MCP_PATH}/messages", f"{SSE_PATH}/messages")
"""Where clients of HTTP+SSE post: beside the path at which they got their stream."""

FIXED_PATHS = frozenset(
    {"/", MCP_PATH, CARD_PATH, *MESSAGES_PATHS, *PLAIN_PATHS, OPENAPI_PATH, "/healthz", "/readyz", "/metrics"}
)
"""Routes that mcp.json cannot change; the SSE path and its siblings must differ from all of them."""

FIXED_PREFIXES = ("/.well-known/", "/page/")
"""RFC 8615 reserves the first for registered documents about the whole site, so not for tool calls. The second has the
files of the demo page."""

MAX_PATH = 255
"""Characters. The path is in every request line; a longer one is a mistake."""

_ALLOWED = re.compile(r"[A-Za-z0-9._~/-]*")
"""RFC 3986, 2.3 unreserved, and the slash. No percent-encoding: two spellings of one path are two routes for some
proxies and one for others, and a filter that knows only one spelling can be bypassed."""


def check_events_path(path: str) -> str:
    """Return `path` if it is valid for a route. Raises ValueError naming the violated rule."""
    problem = _problem(path)
    if problem is not None:
        raise ValueError(f"expected {problem}, got {_excerpt(path)}")
    conflict = _conflict(path)
    if conflict is not None:
        raise ValueError(
            f"expected a path that leaves {conflict} free, which the server needs itself, got {_excerpt(path)}"
        )
    return path


def sibling(path: str, name: str) -> str:
    """The path beside `path` whose last segment is `name`."""
    return f"{path.rpartition('/')[0]}/{name}"


def _problem(path: str) -> str | None:
    if "://" in path:
        return "a path without scheme and host, which come from MCP_APP_PUBLIC_URL"
    if not path.startswith("/"):
        return f"an absolute path such as {DEFAULT_EVENTS_PATH}"
    if len(path) > MAX_PATH:
        return f"at most {MAX_PATH} characters"
    if "?" in path or "#" in path:
        return "a path without query and fragment"
    if any(mark in path for mark in "{}<>"):
        return "a fixed path without placeholders"
    if path.endswith("/"):
        return "a path that does not end with a slash"
    segments = path.split("/")[1:]
    if "" in segments:
        return "a path without empty segments"
    if "." in segments or ".." in segments:
        return "a path without the segments . and .."
    if not _ALLOWED.fullmatch(path):
        return "a path of letters, digits and - . _ ~ only"
    return None


def _conflict(path: str) -> str | None:
    """The route that the SSE path or one of its siblings would shadow, or None."""
    siblings = tuple(sibling(path, name) for name in ("tools", "runs", "tickets"))
    if path in siblings:
        return path
    for each in (path, *siblings):
        if each in FIXED_PATHS:
            return each
        for prefix in FIXED_PREFIXES:
            if each.startswith(prefix):
                return prefix
    return None


def _excerpt(path: str) -> str:
    return repr(path if len(path) <= MAX_PATH else f"{path[:40]}…") + (
        f" ({len(path)} characters)" if len(path) > MAX_PATH else ""
    )
