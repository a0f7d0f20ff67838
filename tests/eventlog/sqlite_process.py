"""A process of its own that works on a shared log in SQLite, for tests: `python sqlite_process.py FILE DOES`. It says
what it has done in lines of JSON on standard output. Not a test.

    append RUNS     joins, creates so many runs, appends to all of them at once, for ever; each append that is
                    acknowledged is a line [run, number]
    wait            joins, and prints each message that it receives
    claim NAMES     puts so many documents, for version 0; prints which of them it got
    hold            locks the file until it is killed
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from shared_contract import PLENTY, events, record

from mcp_app.eventlog.sqlite.address import SqliteAddress
from mcp_app.eventlog.sqlite.log import SqliteLog


def say(*what: Any) -> None:
    print(json.dumps(what), flush=True)


async def append(log: SqliteLog, runs: str) -> None:
    node = await log.join()

    async def work() -> None:
        run = record(node)
        await log.create(run, PLENTY)
        number = 0
        while True:
            await log.append(run.id, node, number + 1, events(1 + number % 3, first=number))
            number += 1 + number % 3
            say(run.id, number)

    say("node", node)
    await asyncio.gather(*(work() for _ in range(int(runs))))


async def wait(log: SqliteLog) -> None:
    node = await log.join()
    say("node", node)
    while True:
        for message in await log.receive(node, asyncio.get_running_loop().time() + 30):
            say(message.decode(), time.time())


async def claim(log: SqliteLog, names: str) -> None:
    until = await log.now() + 600
    got = [name for name in range(int(names)) if await log.put(f"claim/{name}", b"", until, version=0) is None]
    say(*got)


async def work_on(path: Path, does: str, *arguments: str) -> None:
    log = SqliteLog(SqliteAddress(path))
    await log.open()
    await {"append": append, "wait": wait, "claim": claim}[does](log, *arguments)
    await log.close()


def hold(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    say("held")
    time.sleep(600)


if __name__ == "__main__":
    if sys.argv[2] == "hold":
        hold(Path(sys.argv[1]))
    else:
        asyncio.run(work_on(Path(sys.argv[1]), *sys.argv[2:]))
