"""An endpoint that asks for keys, asked without a socket; its clock moves by hand. Not a test."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from closing import stop

from mcp_app import Context, Tool, tool
from mcp_app.auth import keys as key_text
from mcp_app.auth.authentication import Authentication
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord
from mcp_app.auth.key_verifier import KeyVerifier
from mcp_app.auth.page_sign_in import PageSignIns
from mcp_app.authoring.tool import Registry
from mcp_app.config.settings import Settings, secrets_of
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.protocol.http import sse
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 10.0
HOST = "localhost:8000"
PAGE = f"http://{HOST}"
EVENTS, RUNS, TOOLS = "/api/v1/mcp/sse", "/api/v1/mcp/runs", "/api/v1/mcp/tools"
TICKETS, SIGN_IN = "/api/v1/mcp/tickets", "/page/sign-in"


class KeyStage:
    """The endpoint, its file of keys, and what its tools were called with."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = float(int(time.time()))  # as the endpoint's own clock, for tickets
        self.heard: list[str] = []
        self.file = KeyFile(folder / "keys.json")
        self.file.change(lambda records: None, create=True)
        self.settings = Settings(**settings)
        clock = self.clock
        self.keys = KeyVerifier(self.file, Hierarchy.read(""), clock)
        self.sign_ins = PageSignIns(self.keys, secrets_of(self.settings.secret), clock=clock)
        self.authentication = Authentication(self.settings, [self.keys, self.sign_ins])
        log = MemoryLog()
        self.runs = Runs(self.settings, log)
        self.endpoint = Endpoint(
            self.settings,
            Registry(self.tools()),
            load_manifest(None),
            self.runs,
            log,
            authentication=self.authentication,
        )
        self._streams: list[Frames] = []

    def clock(self) -> float:
        return self.now

    def tools(self) -> list[Tool]:
        @tool(read_only=True)
        async def echo(ctx: Context, text: str = "hello") -> str:
            """Say it back, and by whom it was called."""
            self.heard.append(ctx.principal)
            return text

        @tool(scopes=["write"])
        async def write() -> str:
            """Not for everybody."""
            return "written"

        return [echo, write]

    async def add_key(self, name: str, expires: int | None = None, scopes: Iterable[str] = ()) -> str:
        """A new key, which the server knows from now on."""
        key = key_text.make(secrets.randbits)
        record = KeyRecord(key.id, name, key.digest, frozenset(scopes), int(self.now), expires)
        self.file.change(lambda records: records.update({key.id: record}))
        await self.keys.look()
        return key.text

    async def revoke(self, key: str) -> None:
        id_ = key_text.parse(key).id  # type: ignore[union-attr]

        def change(records: dict[str, KeyRecord]) -> None:
            records[id_] = replace(records[id_], revoked=int(self.now), digest=b"")

        self.file.change(change)
        await self.keys.look()

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str | None) -> Answer:
        """One request; header names with `_` for `-`, None leaves one out."""
        path, _, query = target.partition("?")
        fields = {name.replace("_", "-"): value for name, value in ({"host": HOST} | headers).items()}
        request = Request(
            method,
            path,
            query.encode(),
            {name: value for name, value in fields.items() if value is not None},
            body,
            server=("127.0.0.1", 8000),
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self._streams.append(answer.body)
        return answer

    async def post(self, target: str, value: Any, **headers: str | None) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return await self.ask("POST", target, body, **({"content_type": "application/json"} | headers))

    async def sign_in(self, key: str, **headers: str | None) -> str:
        """The cookie that a browser has afterwards, as it sends it."""
        answer = await self.ask("POST", SIGN_IN, authorization=f"Bearer {key}", **({"origin": PAGE} | headers))
        assert answer.status == 204, answer
        return cookie_of(answer)

    async def close(self) -> None:
        await stop(self.runs, self._streams, drain=self.runs.drain)


def cookie_of(answer: Answer) -> str:
    """The one cookie that the answer sets, as a browser sends it."""
    [said] = [value for name, value in answer.headers if name == "Set-Cookie"]
    return said.partition(";")[0]


def error_of(answer: Answer) -> tuple[int, str]:
    """The status and the code of an error."""
    assert isinstance(answer.body, bytes)
    return answer.status, json.loads(answer.body)["error"]["code"]


def said(answer: Answer) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


async def events_of(answer: Answer) -> list[sse.ServerSentEvent]:
    """All events of a stream, to its end."""
    assert isinstance(answer.body, Frames), answer
    decoder, found = sse.Decoder(), []
    async with asyncio.timeout(SECONDS):
        async for chunk in answer.body:
            found += decoder.feed(chunk)
    return found
