"""The MCP endpoint: JSON-RPC over HTTP in both eras, on the same runs, readers and middleware as the plain dialect.

`dispatch.py` is which era a message belongs to. `modern.py` is the revision without sessions, 2026-07-28; `states.py`,
`subscriptions.py` and `tasks.py` are what only they have. `legacy.py` is the methods of a session, `sessions.py`,
`outbox.py` and `listening.py` what a session is, `streamable.py` and `http_sse.py` its two transports. Both eras share
`offer.py` (what is offered, and its lists), `answering.py` (a run as the answer to a request), `validation.py`,
`failures.py` and `changes.py`. Neither Quart nor ASGI is known here.
"""
