"""The table of routes: every path with its methods and the names of their handlers.

Used by the blueprint, the endpoint, and the test that compares it with docs/reference.md. Nothing is answered here.
"""

from __future__ import annotations

from collections.abc import Mapping

from .manifest import DOCUMENT_PATHS, SSE_PATH, Manifest
from .protocol.http import challenge
from .web import pages

Methods = Mapping[str, str]

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered whatever the Host: balancers and Kubernetes ask an address, and learn only that the server is there."""

METRICS_PATH = "/metrics"

ADMINISTRATION_PATHS = frozenset({*HEALTH_PATHS, METRICS_PATH})
"""What an address for operators has. The metrics are there alone then, and health at both: balancers ask the address at
which they send requests."""

SIGN_IN_PATH = "/page/sign-in"
"""Where the page asks who it calls as, signs in and signs out."""

OPEN_PATHS = frozenset({*DOCUMENT_PATHS, *pages.pages(), SIGN_IN_PATH})
"""Answered whoever asks: what leads to a sign-in must be found without one. They say only what needs no scope."""

RESOURCE_PATH = challenge.METADATA_PATH
"""Below it are the documents about who gives out tokens: open, too."""

RUN = "<run>"
"""Placeholder for one path segment: the id of a run."""

RESULT = "<result>"
"""The same for the number of one of its results."""

TOOL = "<tool>"
"""The same for the name of a tool."""


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
        f"{manifest.tools_path}/{TOOL}": {"POST": "calls.tool"},
        manifest.tickets_path: {"POST": "tickets.create"},
        runs: {"POST": "runs.create"},
        f"{runs}/{RUN}": {"GET": "runs.show", "DELETE": "runs.cancel"},
        f"{runs}/{RUN}/events": {"GET": "runs.events", "HEAD": "runs.events_head"},
        f"{runs}/{RUN}/results/{RESULT}": {"GET": "runs.result"},
        **{path: {"GET": "documents.document"} for path in DOCUMENT_PATHS},
        **{RESOURCE_PATH + path: {"GET": "metadata.document"} for path in ("", *manifest.endpoint_paths)},
        **{path: {"GET": "documents.page"} for path in pages.pages()},
        SIGN_IN_PATH: {"GET": "sign_in.show", "POST": "sign_in.sign_in", "DELETE": "sign_in.sign_out"},
        "/healthz": {"GET": "documents.healthz"},
        "/readyz": {"GET": "documents.readyz"},
        METRICS_PATH: {"GET": "documents.metrics"},
    }


def arguments(template: str, path: str) -> dict[str, str] | None:
    """What stands in `path` for each placeholder of `template`, by its name; None for a path of another route."""
    named, given = template.split("/"), path.split("/")
    if len(named) != len(given):
        return None
    found: dict[str, str] = {}
    for name, text in zip(named, given, strict=True):
        if name.startswith("<") and text:
            found[name[1:-1]] = text
        elif name != text:
            return None
    return found
