"""Tests with a real authorization server need npm's oidc-provider: `make clients` installs it and runs them.

`make clients` sets MCP_APP_CLIENTS. Without it they are not collected, so they are not skipped either.
"""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("MCP_APP_CLIENTS") else ["test_oauth_live.py"]
