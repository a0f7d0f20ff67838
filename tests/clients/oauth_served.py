"""What the clients call that sign in: served by `mcp-app serve`, written with public names only."""

from __future__ import annotations

from mcp_app import Context, tool


@tool(read_only=True)
def whoami(ctx: Context) -> str:
    """Who calls, and what it may do."""
    return f"{ctx.principal} {' '.join(sorted(ctx.scopes or ()))}"
