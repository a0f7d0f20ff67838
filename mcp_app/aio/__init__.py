"""What asyncio lacks: cheap events and mutexes, one timer for many deadlines, reliable cancellation, daemon threads.

This package knows nothing of the rest of mcp_app: neither runs nor HTTP.
"""
