"""MCP without sessions: revision 2026-07-28, in which every request contains all that is needed to answer it."""
