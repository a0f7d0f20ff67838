"""What the drivers in Python have in common: the command line, and one line of JSON with what each step gave.

Used by interpreters of several environments: nothing but the standard library.
"""

import asyncio
import json
import os
import sys

BOUND = float(os.environ.get("BOUND") or 50)
"""Seconds for all steps together: the test that started this gives up a little later."""

WORK = json.loads(os.environ.get("WORK") or "null")
"""The call that the step `work` makes: its `name` and `arguments`."""


def parts(messages):
    """The numbers of the parts that were sent as messages; the server's own signs of life are none of them."""
    return [json.loads(message)["step"] for message in messages if message.startswith("{")]


def kept(meta):
    """The same in the `_meta` of a result."""
    found = [value for name, value in (meta or {}).items() if name.endswith("/partial")]
    return [part["step"] for part in found[0]] if found else None


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
