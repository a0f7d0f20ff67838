"""The engine DuckDB: `open_database`, and the parts of it, one file each.

`engine.py` is the open database, `tool.py` the tool in whose process a caller's statements run, `statement.py` one of
these, `connection.py` what makes it read only, `schema.py` its tables. Nobody imports
this but for a database that is named: it needs the extra `sql` (duckdb).
"""

from mcp_app.builtin.query_database.duckdb.engine import open_database

__all__ = ["open_database"]
