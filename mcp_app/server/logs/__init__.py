"""The server's log: one format for requests, runs and errors, which no text of a caller can forge or stop.

- a line as text or JSON, with every control character escaped: `lines`
- a line on its way to a file descriptor, without waiting for it: `output`
- a request's line, in place of Hypercorn's logger: `access`
- which loggers write there, and keep doing so whatever an author configures: `loggers`
"""
