"""What the drivers in Python have in common: the command line, and one line of JSON with what each step gave.

Used by interpreters of several environments: nothing but the standard library.
"""

import asyncio
import json
import sys

BOUND = 50.0
"""Seconds for all steps together: the test that started this gives up a little later."""


def main(connect):
    """`connect(url, run)` connects and awaits `run(steps)`; each step is a coroutine method of `steps`."""
    url, *names = sys.argv[1:]
    given = {}

    async def run(steps):
        for name in names:
            given[name] = await getattr(steps, name)()

    async def bounded():
        await asyncio.wait_for(connect(url, run), BOUND)

    asyncio.run(bounded())
    print(json.dumps(given))
