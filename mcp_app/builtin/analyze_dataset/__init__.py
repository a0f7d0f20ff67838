"""The parts of the tool `analyze_dataset`.

`tool.py` is what callers see. It opens the file (`data_file.py`), has it analysed (`analysis.py`: read once into a
table by `sources.py` and `dataset.py`, then looked at by one function for each kind of finding), and cuts the result to
what the caller can take (`report.py`). `locked.py` is the one place where DuckDB is opened. Nothing is imported here:
the work needs the extra `sql` (duckdb), the tool's description does not.
"""
