"""What our engine changes in a process: nothing, but for who asks for it, and then two functions."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import hypercorn.asyncio.run
import pytest
from defects import Provoking, eventually, lifespan
from live_server import loopback_config, released_run, released_worker, serving
from raw_h2 import raw_h2

import mcp_app
from mcp_app.config import retired
from mcp_app.life import DRAIN_SECONDS
from mcp_app.server import binding, engine
from mcp_app.server.engine import draining, worker
from mcp_app.server.errors import StartError
from mcp_app.web.quart import lifespan as our_lifespan


@pytest.fixture(autouse=True)
def _as_released() -> Iterator[None]:
    """Before, as something else in this process may have asked for it, and after."""

    def release() -> None:
        hypercorn.asyncio.run.worker_serve = released_worker
        hypercorn.asyncio.worker_serve = released_worker  # type: ignore[attr-defined]
        hypercorn.asyncio.run._run = released_run

    release()
    yield
    release()


def everything_of_hypercorn() -> dict[str, object]:
    """Each name of each of its modules that is loaded, and each attribute of its classes."""
    import sys

    found: dict[str, object] = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] in ("hypercorn", "h2", "h11", "hpack", "priority") and isinstance(
            module, types.ModuleType
        ):
            for name, value in vars(module).items():
                found[f"{module_name}.{name}"] = value
                if isinstance(value, type) and value.__module__ == module_name:
                    found |= {f"{module_name}.{name}.{each}": what for each, what in vars(value).items()}
    return {name: value for name, value in found.items() if ".__" not in name}


def changed(before: dict[str, object]) -> set[str]:
    after = everything_of_hypercorn()
    return {name for name in before if after.get(name) is not before[name]}


async def test_an_application_and_a_server_change_nothing_of_hypercorn() -> None:
    async with serving(Provoking()):
        pass  # everything is loaded
    before = everything_of_hypercorn()
    assert len(before) > 1000
    app = mcp_app.create_app(mcp_app.Settings(), [])
    async with serving(app) as server, raw_h2(server.port) as client:
        stream = await client.request("/healthz")
        await client.until(lambda: client.is_ended(stream))
        assert client.status(stream) == 200
    assert changed(before) == set()


def test_to_install_it_changes_two_functions_and_twice_is_once() -> None:
    before = everything_of_hypercorn()
    engine.install()
    engine.install()
    assert changed(before) == {
        "hypercorn.asyncio.run._run",
        "hypercorn.asyncio.run.worker_serve",
        "hypercorn.asyncio.worker_serve",
    }
    assert hypercorn.asyncio.run._run is worker.run_worker
    assert hypercorn.asyncio.run.worker_serve is worker.worker_serve


async def test_installed_hypercorns_own_serve_serves_by_it(caplog: pytest.LogCaptureFixture) -> None:
    engine.install()
    caplog.set_level(logging.INFO)
    app, stop = Provoking(), asyncio.Event()
    told: list[str] = []
    app.on_start = lambda: told.append(str(app.on_draining.__qualname__))
    config = loopback_config(bind=["127.0.0.1:0"], insecure_bind=[], loglevel="INFO")
    config.workers = 1
    running = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    await eventually(lambda: "Running on https://127.0.0.1:" in caplog.text)
    assert told == ["DrainCallbacks.subscribe"]
    stop.set()
    await asyncio.wait_for(running, 20)


def test_both_sides_mean_the_same() -> None:
    assert our_lifespan.DRAINING_KEY == draining.STATE_KEY
    assert DRAIN_SECONDS == draining.DRAIN_SECONDS


@pytest.mark.parametrize(("released", "lines"), [(False, 0), (True, 1)])
async def test_an_application_on_hypercorn_without_it_says_so(
    released: bool, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(mcp_app.create_app(mcp_app.Settings(), []), released=released):
        pass
    said = [record.getMessage() for record in caplog.records if "engine.install()" in record.getMessage()]
    assert len(said) == lines


async def test_on_another_server_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with mcp_app.create_app(mcp_app.Settings(), []).test_app():
        pass
    assert "engine" not in caplog.text


@pytest.mark.parametrize(("installed", "lines"), [("0.18.0", 0), ("0.18.1", 1)])
async def test_another_version_is_a_line_in_the_log(
    installed: str, lines: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "version", lambda name: installed)
    async with serving(Provoking()):
        pass
    expected = "hypercorn 0.18.1 has not been tested with this mcp_app, 0.18.0 has"
    assert [record.getMessage() for record in caplog.records].count(expected) == lines


async def test_http3_is_refused() -> None:
    config = loopback_config()
    sockets = binding.bind(config)
    try:
        with pytest.raises(StartError, match="quic_bind"):
            sockets.quic_sockets.append(sockets.insecure_sockets[0])
            await worker.serve(None, config, sockets, asyncio.Event().wait, asyncio.Event().wait)  # type: ignore[arg-type]
    finally:
        binding.close(sockets)


async def test_the_server_stops_after_so_many_requests() -> None:
    async with serving(Provoking(), max_requests=3) as server, raw_h2(server.port) as client:
        assert server.task is not None
        for _ in range(4):
            stream = await client.request("/hello")
            await client.until(lambda stream=stream: client.is_ended(stream))  # type: ignore[misc]
        await asyncio.wait({server.task}, timeout=20)
        assert server.task.done()


async def test_what_a_shutdown_trigger_raises_is_raised_behind_an_orderly_stop() -> None:
    stopped: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await lifespan(receive, send)
        stopped.append("in order")

    async def shutdown() -> None:
        raise LookupError("the trigger")

    config = loopback_config()
    sockets = binding.bind(config)
    try:
        with pytest.raises(LookupError, match="the trigger"):
            await asyncio.wait_for(serve_asgi(app, config, sockets, shutdown), 20)
    finally:
        binding.close(sockets)
    assert stopped == ["in order"]


async def serve_asgi(app: Any, config: Any, sockets: Any, shutdown: Any) -> None:
    from mcp_app.server.run import serve_async

    await serve_async(app, config, sockets, shutdown=shutdown)


async def test_a_setting_that_is_retired_and_still_set_is_named_at_start(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_APP_FIXES", "warn")
    monkeypatch.setenv("mcp_app_speedups", "false")
    monkeypatch.setenv("MCP_APP_FAST_LANE", "true")
    monkeypatch.setenv("MCP_APP_NEVER_WAS", "1")
    assert set(retired.RETIRED).isdisjoint(f"MCP_APP_{name.upper()}" for name in mcp_app.Settings.model_fields)
    async with mcp_app.create_app(mcp_app.Settings(), []).test_app():
        pass
    said = sorted(record.getMessage() for record in caplog.records)
    assert [line.partition(":")[0] for line in said if "since" in line] == [
        f"MCP_APP_{name} has no effect since 0.1.0" for name in ("FAST_LANE", "FIXES", "SPEEDUPS")
    ]
    assert "create_app(lane=False)" in said[0]
    assert [line for line in said if "NEVER_WAS" in line and "since" in line] == []


async def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = loopback_config(certfile=str(tmp_path / "cert.pem"), keyfile=str(tmp_path / "key.pem"))
    with pytest.raises(StartError, match=r"certfile .*cert\.pem and keyfile .*key\.pem cannot be used: No such file"):
        await worker.worker_serve(Provoking(), config, shutdown_trigger=asyncio.Event().wait)
