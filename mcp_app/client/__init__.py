"""`mcp-app call`: a tool called from the command line, watched live.

    command.py     the command's own arguments, and what is done in which order
    arguments.py   key=value words -> the tool's params               pure
    address.py     the URL given -> the routes of the server          pure
    outcome.py     how a call can end, and the exit status of each    pure
    message.py     what the server says -> values                     pure
    printable.py   what a peer sent -> text that is safe to print     pure
    display.py     which of the two displays is used
    lines.py       events as lines, for pipes and files
    bar.py         events as a live display, for terminals
    trust.py       whose certificates are believed
    failures.py    what went wrong on the way, in words
    client.py      the HTTP client
    exchange.py    the requests of a call, and the stream
    deadline.py    how long is waited
    interrupt.py   Ctrl-C

Nothing here is imported by the server, and of the server only the place of its development certificates is known here:
the command is a client like any other, and works with every server that speaks the plain dialect. httpx and rich are
imported only when a call is made.
"""

from mcp_app.client.command import add_parser

__all__ = ["add_parser"]
