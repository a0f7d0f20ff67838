"""How the application is put on a socket: Hypercorn's configuration, certificates, start, stop and engine.

Nothing here knows a tool, a run or a route: this package is given an ASGI application and serves it, and no part of the
application imports it.
"""
