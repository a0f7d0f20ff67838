"""Tools at work in another process than the server's: what that process is, from its first line to its last.

    child.py     a process of this machine: its start, its calls one by one, its end
    wire.py      its end of the wire, and of the lifeline by which it ends with the server
    working.py   one call there: its caller, its events, how it is cancelled
    calling.py   the tools that its tool calls, which the server calls in its place
    asking.py    what its tool asks, which the server asks in its place
    loading.py   the tool, found by name in its module, which is imported again

No server runs here, and none of its sockets is here. Nothing imports this part: the server starts it by name.
"""
