"""Asking the endpoint without Quart: requests are plain values, and answers too. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from closing import stop
from web_play import SECONDS, Play

from mcp_app.authoring.tool import Registry
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog import EventLog
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"


class Direct:
    """Asks one endpoint."""

    def __init__(self, play: Play, log: EventLog | None = None, **settings: Any) -> None:
        self.play = play
        self.settings = Settings(**settings)
        log = MemoryLog() if log is None else log
        self.runs = Runs(self.settings, log)
        self.endpoint = Endpoint(self.settings, Registry(play.tools()), load_manifest(None), self.runs, log)
        self._opened = ExitStack()

    async def ask(
        self, method: str, target: str, body: bytes = b"", *, scheme: str = "http", **headers: str | None
    ) -> Answer:
        """One request; header names with `_` for `-`, None leaves one out; Host is loopback unless said otherwise."""
        path, _, query = target.partition("?")
        fields = {name.replace("_", "-"): value for name, value in ({"host": "127.0.0.1:8000"} | headers).items()}
        request = Request(
            method=method,
            path=path,
            query=query.encode("latin-1"),
            headers={name: value for name, value in fields.items() if value is not None},
            body=body,
            scheme=scheme,
            server=("127.0.0.1", 8000),
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self._opened.callback(answer.body.close)
        return answer

    async def get(self, target: str, **headers: str | None) -> Answer:
        return await self.ask("GET", target, **headers)

    async def post(self, target: str, value: Any, **headers: str | None) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return await self.ask("POST", target, body, **({"content_type": "application/json"} | headers))

    async def call(self, tool: str, accept: str | None = "*/*", **params: Any) -> Answer:
        """POST a call."""
        return await self.post(EVENTS, {"tool": tool, "params": params}, accept=accept)

    def forget(self) -> None:
        """Close the bodies that were answered so far."""
        self._opened.close()

    async def close(self) -> None:
        self.forget()
        await stop(self.runs, drain=self.runs.drain)


Make = Callable[..., Direct]
"""What the fixture `make` is: an endpoint with the settings that are named."""
