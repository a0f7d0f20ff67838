"""Who may import whom, as data: docs/architecture.md drawn as a table. A new part is entered here first.

Only policy is in here; how imports are read is in `import_reader.py`, and what is asserted in `test_imports.py`.
"""

from __future__ import annotations

PACKAGE = "mcp_app"

# Part of the package -> parts of the package it may import. A part is a module or package right under mcp_app, or one
# that is named here with a dot; within a part everything may import everything. "public" is mcp_app/__init__.py.
MAY_IMPORT: dict[str, str] = {
    "protocol": "",
    "config": "",
    "aio": "",
    "authoring": "protocol asking config",
    "runs": "protocol config aio asking authoring eventlog",
    "asking": "protocol",
    "eventlog": "protocol config aio",
    "middleware": "protocol config eventlog runs",
    "manifest": "protocol config",
    "web": "protocol config aio asking authoring runs eventlog middleware manifest",
    "server": "protocol config",
    "app": "protocol config authoring runs eventlog middleware manifest web server builtin",
    "public": "protocol config asking authoring runs app",
    "asgi": "app",
    "call": "protocol",
    "cli": "public protocol config runs authoring manifest app server call",
    "__main__": "cli",
    "builtin": "public",
}

# What the table forbids and is right all the same, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("mcp_app.call.trust", "mcp_app.server.certificates"): "where the development authority is that `call` believes",
}

# "One eventlog never imports another": these are its implementations.
EVENT_LOGS = ("memory", "sqlite", "redis")

# Foreign package -> the parts that may import it. What only one tool or command needs stays there, so that the server
# starts without it. Anything else that is neither here nor in the standard library is refused.
FOREIGN: dict[str, str] = {
    "pydantic": "*",
    "pydantic_core": "*",
    "typing_extensions": "*",
    "quart": "web app",
    "werkzeug": "web app",
    "hypercorn": "server web app cli",
    "h11": "server call",
    "h2": "server call",
    "hyperframe": "server",
    "hpack": "server",
    "wsproto": "server",
    "priority": "server",
    "uvloop": "server",
    "cryptography": "server builtin",
    "dns": "builtin",
    "idna": "builtin",
    "certifi": "builtin",
    "httpx": "builtin call",
    "httpcore": "builtin call",
    "anyio": "builtin call",
    "rich": "call cli",
    "redis": "eventlog",
}

# Modules that know neither Quart nor Hypercorn though their part may: a function of plain values.
PLAIN_MODULES = ("mcp_app.endpoint",)
FRAMEWORKS = ("quart", "werkzeug", "hypercorn")

# What `protocol` may not have of the standard library: a clock, chance, a loop, a thread, a file, a socket, a log.
IMPURE = frozenset(
    [
        *(
            "asyncio",
            "concurrent",
            "contextvars",
            "multiprocessing",
            "queue",
            "sched",
            "signal",
            "subprocess",
            "threading",
        ),
        *("fcntl", "io", "logging", "os", "pathlib", "shutil", "sys", "tempfile"),
        *("http", "select", "selectors", "smtplib", "socket", "socketserver", "ssl"),
        *("random", "secrets", "time"),
    ]
)
