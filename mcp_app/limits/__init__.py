"""How much a caller may have: rates and numbers at once, per principal, address, tool and in all; and turns by caller.

`buckets.py` counts rates, `counts.py` what is open at once, `charges.py` holds the rules against a call, `fields.py`
tells the refused caller when to come back, `rotation.py` gives callers turns. Time is an argument; no HTTP, no run and
no dialect is known here.
"""
