"""A reader of one run that leaves and comes back at random, to any of several servers. Not a test."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

RUNS = "/api/v1/mcp/runs"
AGAIN_SECONDS = 0.2
"""Between two attempts, where nobody answers."""


@dataclass
class RestlessReader:
    """`seen` are the numbers of the events, as they came; `outcome` is the type of the last one, or its error's code.
    `places` are where servers are now: one that has been killed is there until another has taken its place."""

    run: str
    places: Callable[[], Sequence[str]]
    chance: random.Random
    seen: list[int] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    outcome: str = ""
    came: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    _last_id: str = ""

    async def read(self, client: httpx.AsyncClient) -> None:
        """To the end of the run."""
        while not self.outcome:
            try:
                await self._once(client)
            except httpx.TransportError as error:
                self._refused(type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _once(self, client: httpx.AsyncClient) -> None:
        """Come, read some events, leave."""
        headers = {"accept": "text/event-stream", **({"last-event-id": self._last_id} if self._last_id else {})}
        url = f"{self.chance.choice(self.places())}{RUNS}/{self.run}/events"
        stay = self.chance.randrange(1, 60)
        async with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 204:
                raise AssertionError(f"{self.run}: nothing is left after {self._last_id}, and no last event was seen")
            if answer.status_code != 200:
                code = json.loads(await answer.aread())["error"]["code"]
                self._refused(code)
                if code not in ("log_unavailable", "draining", "not_ready"):
                    self.outcome = code
                await asyncio.sleep(AGAIN_SECONDS)
                return
            self.came += 1
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    self._last_id = line[4:]
                elif line.startswith("data: {"):
                    self._event(json.loads(line[6:]))
                    stay -= 1
                    if self.outcome or not stay:
                        return

    def _event(self, event: dict) -> None:  # type: ignore[type-arg]
        self.seen.append(int(self._last_id.rpartition("/")[2]))
        if event["type"] == "progress":
            self.progress.append(int(event["metadata"]["progress"]))
        elif event["type"] == "error":
            self.outcome = event["error"]["code"]
        elif event["type"] == "complete":
            self.outcome = "complete"

    def _refused(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1
