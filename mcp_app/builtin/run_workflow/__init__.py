"""The parts of the tool `run_workflow`, one file for each.

`tool.py` is the tool itself. What is written: `steps.py`, with `references.py` and `pointers.py` for arguments that are
taken from earlier steps. Before the first step: `checking.py`, with `schemas.py`, `arguments.py` and `graph.py`. While
it runs: `plan.py` says what is due and keeps what has ended, `retrying.py` what is called again, `running.py` calls.
What comes of it: `outcome.py` and `report.py`. All but `running.py` and `tool.py` are pure: no loop, no clock, no
chance.
"""
