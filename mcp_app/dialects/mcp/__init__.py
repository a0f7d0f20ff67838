"""The MCP dialect: JSON-RPC over HTTP in both eras, on the same runs, readers and middleware as the plain dialect.

`dispatch.py` is which era a message belongs to; `stateless/` is the revision without sessions, `sessions/` are those
with them. Both share `offer.py` (what is offered, and its lists), `answering.py` (a run as the answer to a request),
`filtering.py` and `rendering.py` (what of a run is sent, and how it looks), `completion.py`, `validation.py`,
`failures.py` and `changes.py`.
"""
