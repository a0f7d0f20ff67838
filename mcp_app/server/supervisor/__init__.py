"""`mcp-app serve --workers N`: one process that binds the addresses and answers nothing, and N that serve.

- what is started, restarted, replaced and given up, and when: `supervisor`, with the delays of `backoff`
- one process that serves, seen from the supervisor: `web_process`
- signals, sockets and time for both: `supervising`
- what a worker gets on its command line, and the socket on which both speak: `inheritance`, `control`

The supervisor imports no application: it lives as long as its addresses, through any number of releases of the tools.
"""
