"""Who signs out ends what that sign-in has open, and nothing of the same key elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from key_stage import EVENTS, PAGE, RUNS, SIGN_IN, TICKETS, KeyStage, error_of, events_of, said

from mcp_app import Context, Tool, tool
from mcp_app.web import credential_watch
from mcp_app.web.messages import Answer

STREAM = {"accept": "text/event-stream"}
KEY, OTHER = "k" * 22, "o" * 22
REFUSED = (401, "unauthorized")


class WaitingStage(KeyStage):
    """Its tool goes on until it is let go."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.go = asyncio.Event()
        super().__init__(folder, **settings)

    def tools(self) -> list[Tool]:
        @tool(read_only=True)
        async def waits(ctx: Context) -> str:
            await self.go.wait()
            return "done"

        return [waits]

    async def sign_out(self, cookie: str) -> None:
        assert (await self.ask("DELETE", SIGN_IN, cookie=cookie, origin=PAGE)).status == 204
        await self.endpoint._control._watch.look()

    async def called(self, **headers: str) -> Answer:
        """A call that ends with its reader."""
        return await self.post(EVENTS, {"tool": "waits"}, **headers, **STREAM)

    async def sourced(self, key: str, query: str = "", **headers: str) -> Answer:
        """A call by EventSource, which can be come back to."""
        return await self.ask("GET", f"{EVENTS}?tool=waits&run={key}{query}", **headers, **STREAM)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WaitingStage]:
    monkeypatch.setattr(credential_watch, "LOOK_SECONDS", 3600.0)  # looks are the test's own
    monkeypatch.setattr(credential_watch, "LAST_EVENT_SECONDS", 0.01)
    made = WaitingStage(tmp_path)
    yield made
    made.go.set()
    await made.close()


async def last(answer: Answer) -> Any:
    """What the stream's last event says: the code of an error, or the result."""
    event = json.loads((await events_of(answer))[-1].data)
    return event["error"]["code"] if event["type"] == "error" else event["data"]


async def test_its_streams_end_and_its_runs_as_when_it_expires(stage: WaitingStage) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    called, sourced = await stage.called(cookie=cookie), await stage.sourced(KEY, cookie=cookie)
    detached = said(await stage.post(RUNS, {"tool": "waits"}, cookie=cookie))["id"]
    followed = await stage.ask("GET", f"{RUNS}/{detached}/events", cookie=cookie, **STREAM)
    await stage.sign_out(cookie)
    for stream in (called, sourced, followed):
        assert await last(stream) == "credentials_expired"
    assert stage.runs.ended == {"credentials_expired": 1}
    again = await stage.sign_in(await stage.add_key("laptop"))
    assert error_of(await stage.ask("GET", f"{RUNS}/{detached}", cookie=again)) == (404, "unknown_run")


async def test_who_signs_in_again_by_the_same_key_comes_back_to_its_runs(stage: WaitingStage) -> None:
    key = await stage.add_key("laptop")
    cookie = await stage.sign_in(key)
    sourced = await stage.sourced(KEY, cookie=cookie)
    detached = said(await stage.post(RUNS, {"tool": "waits"}, cookie=cookie))["id"]
    await stage.sign_out(cookie)
    assert await last(sourced) == "credentials_expired"
    again = await stage.sign_in(key)
    stage.go.set()
    assert await last(await stage.sourced(KEY, cookie=again)) == "done"
    assert await last(await stage.ask("GET", f"{RUNS}/{detached}/events", cookie=again, **STREAM)) == "done"


async def test_its_tickets_open_nothing_more(stage: WaitingStage) -> None:
    key = await stage.add_key("laptop")
    cookie = await stage.sign_in(key)
    used, unused, of_key = [
        said(await stage.post(TICKETS, {"run": run}, **shown))["ticket"]
        for run, shown in (
            (KEY, {"cookie": cookie}),
            (OTHER, {"cookie": cookie}),
            (KEY, {"authorization": f"Bearer {key}"}),
        )
    ]
    stream = await stage.sourced(KEY, f"&access_ticket={used}")
    await stage.sign_out(cookie)
    assert await last(stream) == "credentials_expired"
    for run, text in ((KEY, used), (OTHER, unused)):
        assert error_of(await stage.sourced(run, f"&access_ticket={text}")) == REFUSED
    stage.go.set()
    assert await last(await stage.sourced(KEY, f"&access_ticket={of_key}")) == "done"


async def test_what_the_key_has_open_elsewhere_goes_on(stage: WaitingStage) -> None:
    key = await stage.add_key("laptop")
    cookie, elsewhere = await stage.sign_in(key), await stage.sign_in(key)
    streams = [
        await stage.called(cookie=elsewhere),
        await stage.called(authorization=f"Bearer {key}"),
        await stage.sourced(KEY, cookie=elsewhere),
    ]
    await stage.sign_out(cookie)
    stage.go.set()
    assert [await last(each) for each in streams] == ["done"] * 3


async def test_when_its_key_is_revoked_all_of_it_ends(stage: WaitingStage) -> None:
    key = await stage.add_key("laptop")
    cookie = await stage.sign_in(key)
    detached = said(await stage.post(RUNS, {"tool": "waits"}, cookie=cookie))["id"]
    stream = await stage.ask("GET", f"{RUNS}/{detached}/events", cookie=cookie, **STREAM)
    await stage.ask("DELETE", SIGN_IN, cookie=cookie, origin=PAGE)
    await stage.revoke(key)
    await stage.endpoint._control._watch.look()
    assert await last(stream) == "revoked"
    assert stage.runs.ended == {"revoked": 1}
