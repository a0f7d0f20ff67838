"""The built-in tools, written only with the public names of `mcp_app`.

Importing this package needs no extra: the tools are listed and described without their libraries. A call of a tool
whose libraries are missing ends with a `tool_failed` error that names the `pip install` for them. The alternatives, a
server that does not start or a tool that is silently missing, would be worse.
"""

from mcp_app.builtin.scan_domain import tool as scan_domain_tool

TOOLS = (scan_domain_tool.scan_domain,)
"""The tools that `mcp_app.app` serves by default."""
