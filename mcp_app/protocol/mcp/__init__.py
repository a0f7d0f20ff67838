"""MCP messages as pure values, for every revision: JSON-RPC, header fields, parameters, results, progress, tasks.

The methods that a server offers, and what they do, are not known here (dialects/mcp).
"""
