"""The pure half of a client: requests as values, bytes to events, in both dialects and in every revision of MCP.

    outgoing.py      a request as a value
    incoming.py      the bytes of a response -> the events of its stream, or its body
    plain.py         the requests of the plain dialect, and a call in it
    rpc.py           MCP's messages -> events
    sessions.py      MCP 2025-11-25 and older: the session, and a call in it
    http_sse.py      the same over HTTP+SSE, the transport of MCP 2024-11-05
    stateless.py     MCP 2026-07-28: a call with its rounds, and as a task
    conversation.py  what a call is to whoever sends its requests
    run_events.py    the events
    question.py      what a tool asks, and the answer as MCP has it
    raised.py        an error of the wire -> the exception of `mcp_app.errors`

Nothing is sent, awaited or timed here. `mcp-app call` sends these requests by httpx, `mcp_app.testing` in memory.
"""
