"""The parts of the tools `query_database`, `list_tables` and `describe_table`.

`tool.py` is what callers see, `database.py` what every engine offers, `file_database.py` what those of a file have in
common, `sqlite`, `duckdb` and `postgresql` are the engines, and `cells.py` says how a value is spelt in JSON. Nothing
is imported here: an engine needs its driver, the tools do not.
"""
