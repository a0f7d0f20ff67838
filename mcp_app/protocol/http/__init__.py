"""What HTTP and the web's standards say, as pure functions: Accept, media types, event streams, JSON, URIs, traces.

No message of MCP is known here.
"""
