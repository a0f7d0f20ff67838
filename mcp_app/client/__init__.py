"""`mcp-app call`: calls a tool from the command line and shows its events live.

    command.py     the command-line options, and the order of the steps
    arguments.py   key=value arguments -> the tool's params           pure
    address.py     the URL argument -> the routes of the server       pure
    outcome.py     how a call can end, and the exit status of each    pure
    message.py     the server's events and JSON answers -> values     pure
    printable.py   untrusted text -> text that is safe to print       pure
    display.py     the display interface, and the choice of one
    lines.py       events as lines, for pipes and files
    bar.py         events as a live display, for terminals
    report.py      steps and results as a person reads them           pure
    saving.py      pictures and files of a result: named, written
    trust.py       the TLS trust store
    failures.py    transport and protocol errors as messages
    client.py      the HTTP client
    exchange.py    the requests of a call, and the response stream
    deadline.py    the timeout
    interrupt.py   Ctrl-C

The server imports nothing from here, and this package knows only one thing of the server: the path of its development
certificates. The command is a client like any other, and works with every server that speaks the plain dialect. httpx
and rich are imported only when a call is made.
"""

from mcp_app.client.command import add_parser

__all__ = ["add_parser"]
