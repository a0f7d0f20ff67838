"""The engine SQLite: `open_database`, and the parts of it, one file each.

`engine.py` is the open database, `statement.py` one of a caller's statements, `connection.py` what makes it read only,
`schema.py` its tables. It needs nothing but Python.
"""

from mcp_app.builtin.query_database.sqlite.engine import open_database

__all__ = ["open_database"]
