"""A scan that is cancelled, or whose streaming fails, leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import psutil
import pytest
from scan_world import DOMAIN, World, codes
from web_world import Page, bare, listening, says_nothing

from mcp_app.builtin.scan_domain.report import Step
from mcp_app.builtin.scan_domain.scan import scan
from mcp_app.builtin.scan_domain.trust import load


def open_to(*ports: int) -> list[Any]:
    """This process's connections as a client of these ports, and its UDP sockets that are not bound to one of them."""
    return [
        each
        for each in psutil.Process().net_connections("inet")
        if (each.raddr and each.raddr.port in ports)
        or (each.type == socket.SOCK_DGRAM and each.laddr.port not in ports)
    ]


async def settled(*ports: int) -> list[Any]:
    for _ in range(100):
        if not (left := open_to(*ports)):
            return []
        await asyncio.sleep(0.05)
    return left


async def started(world: World) -> asyncio.Task[Any]:
    """A scan that has come as far as the servers which do not answer."""
    task = asyncio.create_task(world.scan(step_seconds=30, fetch_seconds=20, dns_seconds=20))
    await asyncio.wait({task}, timeout=0.5)
    assert not task.done()
    return task


@pytest.mark.parametrize("stage", ["dns", "tls", "http"])
async def test_cancelled_at_any_stage_it_leaves_no_task_and_no_socket(world: World, stage: str) -> None:
    load(world.authority.root)
    tasks = asyncio.all_tasks()
    silent = listening()
    port = silent.getsockname()[1]
    async with bare(says_nothing, silent) as clients:
        if stage == "dns":
            world.dns.silent = True
        elif stage == "tls":
            world.https_port = port
        else:
            world.site.put("https", "/", Page(before=world.site.over.wait))
            world.site.put("http", "/", Page(before=world.site.over.wait))
        task = await started(world)
        ports = (world.dns.port, world.http_port, world.https_port)
        assert open_to(*ports), "the scan was in the midst of something"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert await settled(*ports) == []
        assert {each.get_name() for each in asyncio.all_tasks() - tasks if "scan_domain" in each.get_name()} == set()
        assert bool(clients) is (stage == "tls")


async def test_what_fails_in_streaming_ends_the_scan_with_that_error(world: World) -> None:
    class Full(Exception):
        pass

    async def on_step(step: Step, number: int, total: int) -> None:
        raise Full(number)

    with pytest.raises(Full, match="1"):
        await asyncio.wait_for(scan(DOMAIN, world.settings(), on_step), 10)

    assert await settled(world.dns.port, world.http_port, world.https_port) == []


async def test_a_slow_reader_of_the_steps_loses_none(world: World) -> None:
    seen: list[str] = []

    async def on_step(step: Step, number: int, total: int) -> None:
        await asyncio.sleep(0.05)
        seen.append(step.step)

    report = await scan(DOMAIN, world.settings(), on_step)

    assert seen == [step.step for step in report.steps]
    assert len(seen) == 6


async def test_a_defect_in_a_step_is_a_finding_and_a_line_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("mcp_app.builtin.scan_domain.scan.check_headers", broken)

    report = await world.scan()

    (crashed,) = [each for each in report.findings if each.code == "step_crashed"]
    assert (crashed.step, crashed.detail) == ("headers", "KeyError")
    assert "a defect" not in report.model_dump_json(), "what is internal stays in the log"
    assert "a defect" in caplog.text
    assert report.grade == "A"
    assert codes(report) >= {"certificate_ok", "https_works"}


async def test_many_scans_at_once_do_not_mix(world: World) -> None:
    names = [f"host{number}.test" for number in range(5)]
    for name in names:
        world.dns.put(name, "A", "127.0.0.1")

    reports = await asyncio.gather(*(scan(name, world.settings(), _nowhere) for name in names))

    assert [report.domain for report in reports] == names
    assert {seen.host.partition(":")[0] for seen in world.site.seen} == {*names, DOMAIN}
    assert await settled(world.dns.port, world.http_port, world.https_port) == []


async def _nowhere(step: Step, number: int, total: int) -> None:
    """For scans whose steps nobody watches."""
