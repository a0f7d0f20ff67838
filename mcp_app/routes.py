"""The table of routes: every path with its methods and the names of their handlers.

Used by the blueprint, the endpoint, and the test that compares it with docs/reference.md. Nothing is answered here.
"""

from __future__ import annotations

from collections.abc import Mapping

from .manifest import DOCUMENT_PATHS, SSE_PATH, Manifest
from .web import pages

Methods = Mapping[str, str]

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered whatever the Host: balancers and Kubernetes ask an address, and learn only that the server is there."""

RUN = "<run>"
"""Placeholder for one path segment: the id of a run."""

RESULT = "<result>"
"""The same for the number of one of its results."""


def table(manifest: Manifest) -> dict[str, Methods]:
    """Path -> method -> "part.handler". HEAD without an entry of its own is served by GET, without the body."""
    runs = manifest.runs_path
    mcp = {"POST": "mcp.post", "GET": "mcp.get", "HEAD": "mcp.head", "DELETE": "mcp.delete"}
    return {
        manifest.mcp_path: mcp,
        f"{manifest.mcp_path}/messages": {"POST": "mcp.messages"},
        SSE_PATH: mcp,
        f"{SSE_PATH}/messages": {"POST": "mcp.messages"},
        manifest.events_path: {
            "POST": "endpoint.post",
            "GET": "endpoint.get",
            "HEAD": "endpoint.head",
            "DELETE": "mcp.delete",
        },
        f"{manifest.events_path}/messages": {"POST": "mcp.messages"},
        manifest.tools_path: {"GET": "documents.tools"},
        runs: {"POST": "runs.create"},
        f"{runs}/{RUN}": {"GET": "runs.show", "DELETE": "runs.cancel"},
        f"{runs}/{RUN}/events": {"GET": "runs.events", "HEAD": "runs.events_head"},
        f"{runs}/{RUN}/results/{RESULT}": {"GET": "runs.result"},
        **{path: {"GET": "documents.document"} for path in DOCUMENT_PATHS},
        **{path: {"GET": "documents.page"} for path in pages.pages()},
        "/healthz": {"GET": "documents.healthz"},
        "/readyz": {"GET": "documents.readyz"},
        "/metrics": {"GET": "documents.metrics"},
    }
