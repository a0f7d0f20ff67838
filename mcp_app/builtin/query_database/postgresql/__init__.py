"""The engine PostgreSQL: `open_database`, and the parts of it, one file each.

`opening.py` connects and looks at the role, `engine.py` is the open database, `sessions.py` are its connections. Nobody
imports this but for a database that is named: it needs the extra `postgres` (asyncpg).
"""

from mcp_app.builtin.query_database.postgresql.opening import open_database

__all__ = ["open_database"]
