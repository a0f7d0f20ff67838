"""The parts of the tool `scan_domain`, one file for each.

`tool.py` is the tool itself, `scan.py` runs the steps, `steps/` holds one file for each step. Everything that
opens a socket goes through `dialing.py`, which is the only place that may connect. Nothing is imported here:
the parts need the `scan` extra (dnspython, cryptography, httpcore), the tool's description does not.
"""
