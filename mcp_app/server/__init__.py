"""Serves the application on sockets: Hypercorn's configuration, certificates, startup, shutdown and the engine.

Nothing here knows a tool, a run or a route: this package serves any ASGI application, and no part of the application
imports it.
"""
