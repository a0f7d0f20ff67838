"""`python ours_by_door.py TREE DOOR ARGUMENTS…` is `mcp-app ARGUMENTS…` of that tree, by that door: for `make cost`.

A door is chosen by create_app(lane=…), or, in a tree from before that argument, by MCP_APP_FAST_LANE. Only public names
of mcp_app, as the tree may be of any age.
"""

from __future__ import annotations

import inspect
import os
import runpy
import sys
from pathlib import Path

import mcp_app
from mcp_app import create_app

_, tree, door, *arguments = sys.argv
if not Path(mcp_app.__file__).is_relative_to(tree):
    sys.exit(f"mcp_app is that of {mcp_app.__file__}, not that of {tree}")
by_lane = door == "lane"
if "lane" in inspect.signature(create_app).parameters:
    # `mcp-app serve` does not pass it, so the function's own default counts, in whichever module it was imported.
    create_app.__kwdefaults__["lane"] = by_lane
else:
    os.environ["MCP_APP_FAST_LANE"] = str(by_lane).lower()
sys.argv = ["mcp-app", *arguments]
runpy.run_module("mcp_app", run_name="__main__")
