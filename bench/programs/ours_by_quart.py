"""Our own server as `mcp-app serve ours_tools.py` is, but without the lane: every request goes Quart's way."""

from __future__ import annotations

import gc

import ours_tools

from mcp_app import Tool, create_app
from mcp_app.server.configuration import load
from mcp_app.server.run import serve

if __name__ == "__main__":
    config, _ = load()
    app = create_app(tools=[each for each in vars(ours_tools).values() if isinstance(each, Tool)], lane=False)
    gc.freeze()
    raise SystemExit(serve(app, config, lambda urls: print(*urls, flush=True)))
