"""The shared log in one SQLite file: for the processes of one machine, and for what outlives them.

`log` is the interface; `runs`, `nodes` and `documents` are its statements, which know no thread; `commits` and `reads`
are the two threads on which all statements run; `doorbell` wakes the other processes; `address`, `opening` and
`filesystem` decide which file it is, and whether it can be used. No event loop is blocked here, and nothing here knows
what a run or a document means.
"""
