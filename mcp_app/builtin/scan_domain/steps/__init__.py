"""The six steps of a scan, one file for each, and the modules that only they use. Only `scan.py` imports them all."""
