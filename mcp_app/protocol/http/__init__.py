"""HTTP and related web standards as pure functions: Accept, media types, event streams, JSON, URIs, trace context.

MCP's messages are not known here.
"""
