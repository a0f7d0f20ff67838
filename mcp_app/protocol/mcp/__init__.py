"""MCP's messages as pure values, for every revision: JSON-RPC, headers, parameters, results, progress, tasks.

Which methods a server has, and what they do, is not known here (dialects/mcp).
"""
