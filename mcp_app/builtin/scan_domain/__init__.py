"""The parts of the tool `scan_domain`, one file for each.

`tool.py` is the tool itself, `scan.py` runs the steps, `steps/` holds one file for each step. Everything that
connects goes through `mcp_app.outgoing`, which decides where to. Nothing is imported here:
the parts need the `scan` extra (dnspython, cryptography, httpcore), the tool's description does not.
"""
