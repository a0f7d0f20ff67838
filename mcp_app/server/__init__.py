"""How the application is put on a socket: Hypercorn's configuration, certificates, start, stop and defects.

Nothing here knows a tool, a run or a route: this package is given an ASGI application and serves it. `mcp_app.web`
may import `mcp_app.server.fixes` and nothing else of it.
"""
