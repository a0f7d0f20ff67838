"""The same tools on the official Python SDK: `as_json` (its json_response) and `as_stream` for any ASGI server."""

from __future__ import annotations

import asyncio

from mcp.server.mcpserver import Context, MCPServer


def _server() -> MCPServer:
    server = MCPServer("bench", log_level="WARNING")

    @server.tool()
    async def echo(text: str) -> str:
        """Give back what was sent."""
        return text

    @server.tool()
    async def events(count: int, ctx: Context) -> str:
        """Report so many steps, never waiting for anything else."""
        for number in range(1, count + 1):
            await ctx.report_progress(number, count, f"step {number}")
        return "done"

    @server.tool()
    async def idle(seconds: float, ctx: Context) -> str:
        """Say one word, then nothing."""
        await ctx.report_progress(1, 2, "step 1")
        await asyncio.sleep(seconds)
        return "done"

    return server


as_json = _server().streamable_http_app(json_response=True, stateless_http=True)
as_stream = _server().streamable_http_app(stateless_http=True)
