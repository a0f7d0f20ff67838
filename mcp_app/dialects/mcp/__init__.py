"""The MCP dialect: JSON-RPC over HTTP for all revisions, on the same runs, readers and middleware as the plain dialect.

`dispatch.py` selects the protocol of a message: `stateless/` is the revision without sessions, `sessions/` are the
revisions with sessions. Shared by both:

    speaker.py     what all transports share, made once
    offer.py       the tools, resources and prompts, and who the server is
    lists.py       their lists
    answering.py   a run as the answer to a request: JSON or a stream
    filtering.py   the entries of a run that are sent to one client
    rendering.py   their format in an event stream
    completion.py  values for arguments
    validation.py  parameters against the schema of a revision
    failures.py    exceptions as JSON-RPC errors
    changes.py     notifications of changed lists and resources
"""
