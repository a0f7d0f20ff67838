"""Who may import whom, as data: docs/architecture.md drawn as a table. A new part is entered here first.

Only policy is in here; how imports are read is in `import_reader.py`, and what is asserted in `test_imports.py`.
"""

from __future__ import annotations

PACKAGE = "mcp_app"

# Part of the package -> parts of the package it may import. A part is a module or package right under mcp_app, or one
# that is named here with a dot; within a part everything may import everything. "public" is mcp_app/__init__.py.
MAY_IMPORT: dict[str, str] = {
    # What all may use, and what uses nothing of ours. Pure: bytes and values in, bytes and values out.
    "protocol": "",
    # What the loop lacks, and what an operator sets.
    "aio": "",
    "config": "protocol",
    # Somebody writes: a typed function as a tool, what it is handed, and how it asks its caller back.
    "asking": "protocol",
    "authoring": "protocol aio asking",
    # What names tools (a file, a module) to the tools.
    "loading": "protocol authoring",
    # How much of it each caller may have, and in which turns.
    "limits": "protocol config",
    # It runs: calls being worked on, and what they wrote.
    "eventlog": "protocol config aio",
    "runs": "protocol config aio limits asking authoring eventlog",
    "nodes": "protocol aio config limits asking authoring eventlog runs",
    "workers": "protocol asking authoring runs",
    "middleware": "protocol eventlog runs",
    # Over a wire: what a request and an answer are, and the two ways by which they come.
    "manifest": "protocol config authoring",
    "web": "protocol config limits runs middleware",
    "web.pages": "protocol",
    "web.asgi": "protocol aio web",
    "web.quart": "protocol aio web web.asgi",
    "server": "protocol aio config",
    # Who calls.
    "auth": "protocol config aio eventlog nodes web",
    # It is spoken of: a request to a run, an entry to a message. No dialect imports the other.
    "dialects.plain": "protocol config authoring runs eventlog middleware web",
    "dialects.mcp": "protocol config asking authoring runs nodes eventlog middleware manifest web",
    # Where all parts meet.
    "routes": "protocol manifest web.pages",
    "documents": "protocol config authoring runs manifest web web.pages",
    "administration": "protocol web routes documents",
    "access_control": "protocol config auth authoring runs manifest web routes",
    "endpoint": "protocol config auth access_control authoring runs nodes eventlog manifest web dialects.plain "
    "dialects.mcp routes documents administration",
    # It starts and stops, with a lifespan or without.
    "life": "protocol config asking auth limits authoring runs eventlog nodes manifest web.asgi endpoint",
    "starting": "protocol auth web web.asgi endpoint life",
    "app": "config auth authoring manifest web web.quart routes life starting builtin",
    # The same offer without HTTP: one client, over standard input and output.
    "stdio": "protocol aio runs web dialects.mcp server",
    # The same offer in an application of somebody else's.
    "mounting": "protocol config auth authoring loading manifest web web.asgi web.quart routes life starting",
    # Doors: what a person or a server starts.
    "outgoing": "protocol",
    "public": "protocol config auth web asking authoring app mounting outgoing",
    "asgi": "config app server",
    "client": "protocol",
    "testing": "public protocol aio config authoring loading web.asgi app client",
    "cli": "public protocol config auth authoring loading runs manifest documents life app server stdio client",
    "__main__": "cli",
    # The shipped tools, written only with the public names.
    "builtin": "public outgoing",
}

# What the table forbids and is right all the same, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("mcp_app.client.trust", "mcp_app.server.certificates"): "where the development authority is that `call` believes",
}

# "One eventlog never imports another": these are its implementations.
EVENT_LOGS = ("memory", "shared_memory", "sqlite", "redis")

# Foreign package -> the parts that may import it. What only one tool or command needs stays there, so that the server
# starts without it. Anything else that is neither here nor in the standard library is refused.
FOREIGN: dict[str, str] = {
    "pydantic": "*",
    "pydantic_core": "*",
    "typing_extensions": "*",
    "quart": "web.quart app mounting testing",
    "werkzeug": "web.quart",
    "hypercorn": "server web.asgi web.quart mounting stdio cli",
    "h11": "server client",
    "h2": "server client outgoing",
    "hyperframe": "server",
    "hpack": "server",
    "wsproto": "server",
    "priority": "server",
    "uvloop": "server",
    "cryptography": "auth server builtin eventlog",
    "dns": "outgoing builtin",
    "idna": "builtin",
    "certifi": "outgoing builtin",
    "httpx": "auth outgoing client",
    "joserfc": "auth",
    "httpcore": "outgoing builtin client",
    "anyio": "builtin client",
    "asyncpg": "builtin",
    "duckdb": "builtin",
    "rich": "client cli",
    "pytest": "testing",
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
