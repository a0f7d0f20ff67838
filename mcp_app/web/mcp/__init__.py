"""The MCP endpoint: JSON-RPC over HTTP in both eras, on the same runs, readers and middleware as the plain dialect.

`offer.py` is what is offered and how it is listed, `answering.py` a run as the answer to a request, `modern.py` the
revisions without sessions (2026-07-28), `dispatch.py` which of them a message belongs to. Neither Quart nor ASGI is
known here.
"""
