"""MCP with sessions: revisions 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05, and their two transports."""
