"""The shipped tools, written only with the public names of `mcp_app`.

Importing this needs no extra: the tools are listed and described without their libraries. A call of one whose
libraries are missing ends with a `tool_failed` error that names the `pip install` that brings them; that is friendlier
than a server which does not start, and than a tool which is silently not there.
"""

from mcp_app.builtin.scan_domain import tool as scan_domain_tool

TOOLS = (scan_domain_tool.scan_domain,)
"""What `mcp_app.app` serves where no tools are given."""
