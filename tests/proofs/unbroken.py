"""Callers that lose nothing: each starts runs, and reads every event of each, leaving and coming back at random, at
whichever node. What it saw must be each event once and in order, up to an end. Not a test.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import httpx

RUNS = "/api/v1/mcp/runs"

PATIENCE = 90.0
"""Seconds without any new event after which a run is lost: a take-over (20 s) and a start of a process are within."""

PAUSE = 0.3
"""Seconds before a caller asks again who could not be served."""

ENDS = {"complete", "interrupted", "shutdown", "purged"}
"""How a run may end while processes and logs are killed: with its result; by the death of its process, or its stop; or
its reader is told that what it has not read is gone."""


class Reached(Protocol):
    """A node, which may be dead."""

    @property
    def url(self) -> str | None:
        """None while it is."""


class Caller:
    """One caller. `ends` counts how its runs ended, `seen` their events, `returns` how often it came back."""

    def __init__(self, client: httpx.AsyncClient, nodes: Sequence[Reached], seed: int) -> None:
        self._client = client
        self._nodes = nodes
        self._random = random.Random(seed)
        self.ends: Counter[str] = Counter()
        self.seen = 0
        self.returns = 0

    async def call(self, until: float, lasting: tuple[float, float]) -> None:
        """One run after the other, each of about so many seconds, until the loop's clock says `until`."""
        while asyncio.get_running_loop().time() < until:
            every = self._random.uniform(0.1, 0.6)
            times = int(self._random.uniform(*lasting) / every)
            run = await self._start(times, every)
            self.ends[await self._read(run, times)] += 1

    async def _start(self, times: int, every: float) -> str:
        """Asked for with one key until it is answered: wherever it was begun, it is begun once."""
        body = {"tool": "tick", "params": {"times": times, "seconds": every}}
        key = {"Idempotency-Key": f'"{uuid.UUID(int=self._random.getrandbits(128))}"'}
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                answer = await self._client.post(f"{await self._node()}{RUNS}", json=body, headers=key)
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                assert answer.status_code == 503, answer.text
                why = answer.text
            except httpx.TransportError as error:
                why = repr(error)
            assert asyncio.get_running_loop().time() < until, why
            await asyncio.sleep(PAUSE)

    async def _read(self, run: str, times: int) -> str:
        """How the run ended. Raises AssertionError for an event that is missing, twice, or not in its place."""
        last, loop = 0, asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while True:
            leave = last + self._random.randint(1, 30)
            try:
                async for number, event in self._events(run, last):
                    until = loop.time() + PATIENCE
                    code = event["error"]["code"] if event["type"] == "error" else event["type"]
                    if code == "purged":
                        return "purged"
                    assert number == last + 1, f"run {run}: {number} follows {last}: {event}"
                    last = number
                    self.seen += 1
                    if code in ENDS:
                        assert code != "complete" or (number == times + 2 and event["data"] == times), event
                        return str(code)
                    _check(number, event)
                    if last >= leave:
                        break
                why = "the stream ended"
            except httpx.TransportError as error:
                why = repr(error)
            assert loop.time() < until, f"run {run} ends nowhere: {last} of {times + 2} events; {why}"
            self.returns += 1
            await asyncio.sleep(self._random.uniform(0, PAUSE))

    async def _events(self, run: str, after: int) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """One stream. Nothing where none can be had now."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": f"{run}/{after}"} if after else {})
        url = f"{await self._node()}{RUNS}/{run}/events"
        async with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != 200:
                text = (await answer.aread()).decode()
                assert answer.status_code == 503, f"run {run} after {after}: {text}"
                return
            number = 0
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    number = int(line.rpartition("/")[2])
                elif line.startswith("data: "):
                    yield number, json.loads(line[6:])

    async def _node(self) -> str:
        """One that lives, drawn."""
        while True:
            if living := [each.url for each in self._nodes if each.url is not None]:
                return self._random.choice(living)
            await asyncio.sleep(PAUSE)


def _check(number: int, event: dict[str, Any]) -> None:
    if number == 1:
        assert event["type"] == "started", event
    else:
        assert (event["type"], event["metadata"]["progress"]) == ("progress", number - 2), event


async def calling(nodes: Sequence[Reached], callers: int, until: float, lasting: tuple[float, float]) -> list[Caller]:
    """So many callers at once; they are returned when the last run of each has ended."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    timeout = httpx.Timeout(10, read=30)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client, asyncio.TaskGroup() as group:
        every = [Caller(client, nodes, seed) for seed in range(callers)]
        for each in every:
            group.create_task(each.call(until, lasting))
    return every
