"""How a run of a plain function or a generator ends: its thread cleans up, and the stop waits for that."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator

import pytest
from runs_stage import Stage, error_of

from mcp_app import Context
from mcp_app.protocol.policy import PLAIN_DETACHED


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", ["generator", "words", "looks"])
async def test_a_stop_waits_for_the_cleanup_in_a_thread_and_its_failure_is_in_the_log(
    kind: str, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned: list[str] = []
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def clean_up() -> None:
        time.sleep(0.05)
        cleaned.append(kind)
        if fails:
            raise ValueError("cleanup failed")

    def generator() -> Iterator[int]:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                yield 1
                time.sleep(0.02)
        finally:
            clean_up()

    def words(ctx: Context) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                ctx.progress(1)
                time.sleep(0.02)
        finally:
            clean_up()

    def looks(ctx: Context) -> None:
        loop.call_soon_threadsafe(begun.set)
        while not ctx.cancelled:
            time.sleep(0.02)
        clean_up()

    stage = Stage()
    run = await stage.start({"generator": generator, "words": words, "looks": looks}[kind], PLAIN_DETACHED)
    await asyncio.wait_for(begun.wait(), 20)
    await asyncio.wait_for(stage.runs.drain(), 20)
    stage.runs.close()
    assert cleaned == [kind]
    assert stage.runs.threads.working == 0
    said = [record.getMessage() for record in caplog.records]
    assert said == ([f"run {run.label}: {kind} raised while being stopped"] if fails else [])


async def test_a_call_that_gets_no_thread_says_that_it_never_began(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()

    def hangs() -> None:
        go_on.wait(20)

    async with Stage(threads=1, cap_seconds=1) as stage:
        await stage.start(hangs, PLAIN_DETACHED)
        try:
            told = await stage.told(hangs)
        finally:
            go_on.set()
        error = error_of(told)
        [queued] = [each["data"] for each in told[1:-1]]
        assert queued["level"] == "notice"  # half of what is left of the cap, which has begun
        assert re.fullmatch(r"queued: no thread is free; waiting for one, 0\.\d+ s at most", queued["message"])
        assert error["code"] == "overloaded"
        assert "did not begin" in error["message"]
        assert "no thread is free" in caplog.text
