"""The six steps of a scan, one file for each, and what they alone need. They meet only in `scan.py`."""
