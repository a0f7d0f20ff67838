"""Tests with real clients need hundreds of MB of packages: `make clients` runs them, `make test` does not.

`make clients` sets MCP_APP_CLIENTS. Without it they are not collected, so they are not skipped either.
"""

from __future__ import annotations

import os

collect_ignore = (
    []
    if os.environ.get("MCP_APP_CLIENTS")
    else [
        "test_clients_real.py",
        "test_clients_stdio.py",
        "test_clients_docs.py",
        "test_clients_oauth.py",
        "test_stream_readers.py",
    ]
)
