"""A small ASGI application that speaks the plain dialect, and misbehaves on request: the tool's name says how.

A second implementation on purpose: the command must work with any server of the dialect, not only with ours. It keeps
what happened in `seen`, by which a test knows that a run was given up. Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/api/v1/mcp/sse"
RUN = "a1b2c3d4e5f6a7b8a1b2c3d4e5f6a7b8"

MANIFEST = {
    "name": "com.example/wire",
    # Another host than the one that is called: nothing must ever be sent there.
    "_meta": {"com.example.wire/streaming": {"events": f"https://elsewhere.invalid{PATH}", "maxStreamSeconds": 60}},
}
TOOLS = {
    "tools": [
        {"name": "echo", "inputSchema": {"properties": {"text": {"type": "string"}, "n": {"type": "integer"}}}},
    ]
}
RESULT = {"domain": "example.com", "grade": "A", "note": "\x1b[31mred\x9b \u202e [bold]no markup[/bold] ü"}


PICTURE = {"type": "image", "data": base64.b64encode(b"\x89PNG" * 500).decode(), "mimeType": "image/png"}
PLOT = {"data": [{"type": "text", "text": "A plot:\n\x1b[2J"}, PICTURE], "metadata": {"content": True}}
BESIDE = {"text": "2 rows\x1b[2J", "content": [PICTURE], "meta": {"com.example/took": 3}}
RICH = {"data": {"rows": [{"id": 1}, {"id": 2}]}, "metadata": {"beside": BESIDE}}
AUDIT = {
    "domain": "example.com",
    "grade": "E",
    "score": 52,
    "verdict": "Much is missing.",
    "findings": [
        {
            "code": "no_https",
            "status": "fail",
            "weight": 15,
            "message": "No https [bold]here[/bold].",
            "hint": "Redirect.",
        },
        {"code": "hsts", "status": "warn", "weight": 10, "message": "No HSTS.", "hint": ""},
        {"code": "cert", "status": "ok", "weight": 0, "message": "The certificate is valid.", "hint": ""},
    ],
    "steps": [{"step": "tls", "status": "ok"}, {"step": "redirects", "status": "fail"}],
}


def message(kind: str, **content: Any) -> bytes:
    return b"data: " + json.dumps({"type": kind, **content}).encode() + b"\n\n"


def error(code: str, hint: str = "A hint.", **more: Any) -> dict[str, Any]:
    return {"code": code, "message": f"This is {code}.", "hint": hint, **more}


def started(heartbeat: float = 15) -> bytes:
    return message("started", tool="t", metadata={"run": RUN, "cap_seconds": 120, "heartbeat_seconds": heartbeat})


REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "unknown": (404, error("unknown_tool")),
    "invalid": (422, error("invalid_params", details=[{"field": "domain", "problem": "is\x1b[2J required"}])),
    "busy": (503, error("draining")),
}

STREAMS: dict[str, list[bytes]] = {
    "scan": [
        b": open\n\n",
        started(),
        message("progress", data={"step": "dns", "records": ["1.2.3.4"]}, metadata={"progress": 1, "total": 3}),
        b":\n",
        message("progress", data={"message": "tls [red]done[/red]\x1b]0;x\x07"}, metadata={"progress": 2, "total": 3}),
        message("log", data={"level": "warning", "message": "slow\nserver"}),
        message("heartbeat"),
        message("complete", data=RESULT, metadata={"duration_ms": 1834, "events": 6}),
    ],
    "audit": [
        started(),
        message(
            "progress",
            data={"step": "tls", "status": "ok", "summary": "valid for 60 days", "chain": ["x" * 5000]},
            metadata={"progress": 1, "total": 2},
        ),
        message(
            "progress",
            data={"step": "redirects", "status": "fail", "summary": "no https; " * 30, "findings": []},
            metadata={"progress": 2, "total": 2},
        ),
        message("complete", data=AUDIT, metadata={"duration_ms": 1834, "events": 4}),
    ],
    "plot": [
        started(),
        message("progress", data=[PICTURE], metadata={"content": True}),
        message("complete", **PLOT),
    ],
    "rich": [started(), message("complete", **RICH)],
    "odd_beside": [
        started(),
        message("complete", data=1, metadata={"beside": {"text": 5, "content": [7], "meta": []}}),
    ],
    "rows": [started(), message("complete", data=[{"name": f"n{i}", "size": i, "ok": None} for i in range(30)])],
    "odd": [
        started(),
        message("progress", data={"step": "x", "status": ["not a text"]}),
        message(
            "complete",
            data={"grade": "Z", "score": 10**400, "steps": [{"step": {}}], "list": [1, {"a": []}], "deep": {"b": {}}},
        ),
    ],
    "workflow": [
        started(),
        message("progress", data={"message": "page 1"}, metadata={"progress": 25, "total": 100, "path": ["fetch"]}),
        message("progress", data={"step": "dns", "status": "ok"}, metadata={"path": ["scan", "look\x1b[31m"]}),
        message("log", data={"level": "info", "message": "slow"}, metadata={"path": ["fetch"]}),
        message("complete", data="done"),
    ],
    "fails": [started(), message("error", error=error("tool_failed"))],
    "capped": [started(), message("progress", data=1), message("error", error=error("time_cap"))],
    "stopped": [started(), message("error", error=error("shutdown"))],
    "nolast": [started(), message("progress", data=1)],
    "strange": [started(), b"data: not json\n\n"],
    "empty": [],
    # As the tutorial has it: no ids, no comments, no metadata, and a result that is not there.
    "tutorial": [
        message("started", tool="tutorial"),
        message("progress", data={"step": 1}),
        message("complete"),
    ],
}


@dataclass
class Wire:
    """The application. `bare` has neither manifest, tools nor runs: what the tutorial's own server has."""

    bare: bool = False
    deaf: bool = False
    """A DELETE is never answered."""
    seen: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers and body of every request."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: str) -> None:
        self.seen.append(what)
        self.changed.set()

    async def until(self, what: str, seconds: float = 20) -> None:
        """Raises TimeoutError when `what` is not noted in time."""
        async with asyncio.timeout(seconds):
            while what not in self.seen:
                self.changed.clear()
                await self.changed.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while True:
            received = await receive()
            body += received.get("body", b"")
            if not received.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        content = json.loads(body) if body else None
        self.requests.append(
            (f"{scope['method']} {scope['path']}", headers | {"version": scope["http_version"]}, content)
        )
        work = asyncio.create_task(self._answer(scope, headers, content, send))
        gone = asyncio.create_task(_gone(receive))
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            self.note("left")
            work.cancel()
            await asyncio.wait({work})
        elif not work.cancelled():
            work.result()

    async def _answer(self, scope: Scope, headers: dict[str, str], content: Any, send: Send) -> None:
        route = scope["method"], scope["path"]
        if route == ("POST", PATH):
            await self._call(headers, content, send)
        elif route == ("GET", "/page/sse") or route == ("POST", "/page/sse"):
            await _respond(send, 200, "text/html; charset=utf-8", b"<html>")
        elif route == ("POST", "/moved"):
            await _respond(send, 308, "text/plain", b"", (b"location", b"https://example.com/new"))
        elif self.bare:
            await _respond(send, 404, "text/html", b"<h1>Not Found</h1>")
        elif route == ("GET", "/mcp.json"):
            await _json(send, 200, MANIFEST)
        elif route == ("GET", "/api/v1/mcp/tools"):
            await _json(send, 200, TOOLS)
        elif route == ("DELETE", f"/api/v1/mcp/runs/{RUN}"):
            self.note("deleted")
            if self.deaf:
                await asyncio.Event().wait()
            self.cancel.set()
            await _json(send, 200, {"state": "cancelled"})
        else:
            await _json(send, 404, {"error": error("not_found")})

    async def _call(self, headers: dict[str, str], content: dict[str, Any], send: Send) -> None:
        tool = content["tool"]
        if tool in REFUSALS:
            status, refusal = REFUSALS[tool]
            await _json(send, status, {"type": "error", "error": refusal}, (b"retry-after", b"7"))
        elif headers["accept"] == "application/json" and tool != "streamer":
            await self._as_json(tool, content, send)
        else:
            await self._as_stream(tool, content, send)

    async def _as_json(self, tool: str, content: dict[str, Any], send: Send) -> None:
        match tool:
            case "slow":
                self.note("working")
                await asyncio.Event().wait()
            case "plot":
                part = {"type": "progress", "data": [PICTURE], "metadata": {"content": True}}
                await _json(send, 200, {"type": "complete", "tool": tool, "progress": [part], **PLOT})
            case "rich":
                await _json(send, 200, {"type": "complete", "tool": tool, "progress": [], **RICH})
            case "fails":
                await _json(send, 500, {"type": "error", "tool": tool, "error": error("tool_failed"), "progress": []})
            case "capped":
                await _json(send, 504, {"type": "error", "tool": tool, "error": error("time_cap"), "progress": [1]})
            case _:
                data = content["params"] if tool == "echo" else RESULT
                await _json(send, 200, {"type": "complete", "tool": tool, "data": data, "progress": [], "metadata": {}})

    async def _as_stream(self, tool: str, content: dict[str, Any], send: Send) -> None:
        if tool == "oneobject":
            progress = [{"type": "progress", "data": 1, "metadata": {"progress": 1, "total": 1}}]
            await _json(send, 200, {"type": "complete", "tool": tool, "data": 2, "progress": progress})
            return
        if tool == "mute":
            await asyncio.Event().wait()
        await _start(send, 200, "text/event-stream")
        match tool:
            case "echo":
                await _part(send, started(), message("complete", data=content["params"]))
            case "slow":
                await self._slow(send)
            case "flood":
                await _part(send, started())
                while True:
                    await _part(send, message("progress", data="x" * 1000) * 50)
                    await asyncio.sleep(0)  # Hypercorn's send to a reader that has left does not suspend
            case "silent":
                await _part(send, started(0.01))
                await asyncio.Event().wait()
            case "cut":
                await _part(send, started(), message("progress", data=1))
                raise ConnectionAbortedError("on purpose")
            case _:
                for part in STREAMS[tool]:
                    await _part(send, part)
        await send({"type": "http.response.body", "body": b""})

    async def _slow(self, send: Send) -> None:
        await _part(
            send, started(0.2), message("progress", data={"message": "begun"}, metadata={"progress": 1, "total": 4})
        )
        self.note("working")
        while not self.cancel.is_set():
            await _part(send, b":\n")
            try:
                async with asyncio.timeout(0.2):
                    await self.cancel.wait()
            except TimeoutError:
                continue
        await _part(send, message("error", error=error("cancelled")))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, kind: str, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", kind.encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _part(send: Send, *parts: bytes) -> None:
    await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})


async def _respond(send: Send, status: int, kind: str, body: bytes, *more: tuple[bytes, bytes]) -> None:
    await _start(send, status, kind, *more)
    await send({"type": "http.response.body", "body": body})


async def _json(send: Send, status: int, content: Any, *more: tuple[bytes, bytes]) -> None:
    await _respond(send, status, "application/json", json.dumps(content).encode(), *more)
