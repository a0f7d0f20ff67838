"""`mcp-app call`, `follow` and `list`: call a tool from the command line and watch it, and see which tools there are.

    command.py     the command-line options of `call`, and the order of its steps
    follow.py      those of `follow`
    listing.py     the requests and the output of `list`
    options.py     the options that they share
    session.py     one exchange as a command: signals, errors, exit status
    arguments.py   key=value arguments -> the tool's params           pure
    address.py     the URL argument -> the routes of the server       pure
    outcome.py     how a call can end, and the exit status of each    pure
    message.py     the server's events and JSON answers -> values     pure
    wire/          requests as values, bytes to events; MCP, too      pure, for `mcp_app.testing` as well
    printable.py   untrusted text -> text that is safe to print       pure
    display.py     the display interface, and the choice of one
    lines.py       events as lines, for pipes and files
    bar.py         events as a live display, for terminals
    report.py      steps and results as a person reads them           pure
    tool_text.py   tools as a person reads them                       pure
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
from mcp_app.client.follow import add_parser as add_follow_parser

__all__ = ["add_follow_parser", "add_parser"]
