"""Who calls under test: `access=` says so to the application, and no credentials are made or sent.

It is a context variable of each request's task, which a verifier reads that the application is given.
"""

from __future__ import annotations

from contextvars import ContextVar

from mcp_app import Access, Request

ACCESS: ContextVar[Access | None] = ContextVar("mcp_app.testing.access", default=None)
"""Of whoever sends the current request; None for somebody who shows no credentials."""


def told(_: Request) -> Access | None:
    """The verifier."""
    return ACCESS.get()
