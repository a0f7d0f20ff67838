"""A tool that reads a page whose address its caller chooses, and stays out of the network that it runs in.

    mcp-app serve examples/read_page.py
    mcp-app call http://localhost:8000/ read_page url=https://example.com/

It needs the extra `outgoing`: pip install dnspython 'httpx[http2]'
"""

from __future__ import annotations

import re

from mcp_app import outgoing, tool

RULES = outgoing.Rules()
"""Public web servers only. For an intranet's own: Rules(allow_networks=(ip_network("10.1.0.0/16"),))."""


@tool(read_only=True)
async def read_page(url: str) -> dict[str, str | int]:
    """Read a web page.

    Args:
        url: An http(s) address of the public internet.
    """
    found = await outgoing.fetch(url, rules=RULES, max_bytes=256 * 1024)
    text = re.sub(r"<[^<>]*>", " ", found.text)
    return {"url": found.url, "status": found.status, "text": " ".join(text.split())[:2000]}
