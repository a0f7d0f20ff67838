"""The pure core: bytes and values in, bytes and values out.

Nothing below this package may import asyncio, a clock, a socket, Quart, Hypercorn, or any other package of `mcp_app`.
"""
