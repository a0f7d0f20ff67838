"""How a tool is called in each dialect, and what a right answer is. Pure: values in, bytes out; no socket, no server.

A checker raises `WrongAnswer` for anything but the one right answer: a server that loses an event, or that answers an
error quickly, must not get a figure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = 1
"""The progress token of every MCP call here; also the JSON-RPC id, so that all answers have the same length."""

STREAM = "text/event-stream"
JSON = "application/json"


class WrongAnswer(AssertionError):
    """An answer that is not what was asked for."""


@dataclass(frozen=True)
class Call:
    """One POST."""

    path: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case; content-length and host are the transport's."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Dialect:
    """One way to spell a call."""

    name: str
    path: str
    call: Callable[[str, Mapping[str, Any]], Call]
    """(tool, arguments) -> what to send"""
    expect: Callable[[str, Mapping[str, Any], Answer], None]
    """(tool, arguments, what came): raises WrongAnswer, or fails over what is not there"""
    last: bytes
    """Only the last event of a stream has these bytes."""
    varies: re.Pattern[bytes] | None = None
    """What may differ in length between two right answers."""

    def check(self, tool: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        """Raises WrongAnswer unless this is the one right answer."""
        try:
            self.expect(tool, arguments, answer)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise WrongAnswer(f"{error!r} in {answer.body[:300]!r}") from error

    def sizes(self, body: bytes) -> tuple[int, int]:
        """The smallest and the largest number of bytes a right answer may have, from one of them."""
        if self.varies is None:
            return len(body), len(body) + (STREAMED_BYTES if body.startswith(b"{") else 0)
        found = sum(len(match[1]) for match in self.varies.finditer(body))
        least = len(body) - found + sum(1 for _ in self.varies.finditer(body))
        return least, least + VARYING_BYTES


VARYING_BYTES = 3
"""A call of the load takes below 10,000 ms, which is written in one to four digits."""


STREAMED_BYTES = len(b": open\ndata: \n\n")
"""A call says that it takes JSON and a stream: one that had to wait may be answered by a stream of one event."""


def messages(body: bytes) -> list[Any]:
    """The data of every event of a stream, as JSON (WHATWG HTML 9.2; comments and other fields left out).

    Raises WrongAnswer when an event was not ended, or its data is not JSON.
    """
    text = body.decode().replace("\r\n", "\n")
    if text and not text.endswith("\n\n") and not text.endswith("\n:\n"):
        raise WrongAnswer(f"the stream ends within an event: …{text[-80:]!r}")
    found = []
    for block in text.split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if any(data):
            try:
                found.append(json.loads("\n".join(data)))
            except ValueError as error:
                raise WrongAnswer(f"not JSON: {data!r}") from error
    return found


def steps(tool: str, arguments: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """The progress that the tools of bench/programs report: number, total, message."""
    if tool == "events":
        count = arguments["count"]
        return [(number, count, f"step {number}") for number in range(1, count + 1)]
    return [(1, 2, "step 1")] if tool == "idle" else []


def _expect(what: str, found: object, right: object) -> None:
    if found != right:
        raise WrongAnswer(f"{what}: {str(found)[:300]!r} instead of {str(right)[:300]!r}")


# --- MCP -------------------------------------------------------------------------------------------------------------


def _mcp_call(revision: str, meta: Mapping[str, Any], mirrored: bool) -> Callable[[str, Mapping[str, Any]], Call]:
    def call(tool: str, arguments: Mapping[str, Any]) -> Call:
        params = {"name": tool, "arguments": arguments, "_meta": {**meta, "progressToken": TOKEN}}
        body = {"jsonrpc": "2.0", "id": TOKEN, "method": "tools/call", "params": params}
        repeated = (("mcp-method", "tools/call"), ("mcp-name", tool)) if mirrored else ()
        accept = (("content-type", JSON), ("accept", f"{JSON}, {STREAM}"), ("mcp-protocol-version", revision))
        return Call("/mcp", (*accept, *repeated), json.dumps(body, separators=(",", ":")).encode())

    return call


def _mcp_check(tool: str, arguments: Mapping[str, Any], answer: Answer) -> None:
    _expect("status", answer.status, 200)
    kind = answer.content_type.partition(";")[0]
    if kind == JSON:
        *before, last = [json.loads(answer.body)]
    else:
        _expect("content type", kind, STREAM)
        *before, last = messages(answer.body) or [None]
    _expect("methods", {each.get("method") for each in before} - {"notifications/progress"}, set())
    fields = ("progressToken", "progress", "total", "message")
    progress = [tuple(each["params"][name] for name in fields) for each in before]
    _expect("progress", progress, [(TOKEN, *step) for step in steps(tool, arguments)])
    result = (last or {}).get("result")
    if not result or result.get("isError"):
        raise WrongAnswer(f"no result: {str(last)[:300]}")
    _expect("id", last["id"], TOKEN)
    _expect("result", [each.get("text") for each in result["content"]], [arguments.get("text", "done")])


_META_2026 = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

MCP = Dialect("MCP 2026-07-28", "/mcp", _mcp_call("2026-07-28", _META_2026, True), _mcp_check, b'"result":')
MCP_2025 = Dialect("MCP 2025-11-25", "/mcp", _mcp_call("2025-11-25", {}, False), _mcp_check, b'"result":')


# --- the tutorial's events -------------------------------------------------------------------------------------------

EVENTS = "/api/v1/mcp/sse"


def _plain_call(tool: str, arguments: Mapping[str, Any]) -> Call:
    body = json.dumps({"tool": tool, "params": arguments}, separators=(",", ":")).encode()
    return Call(EVENTS, (("content-type", JSON), ("accept", STREAM)), body)


def _stream_of(answer: Answer, tool: str) -> list[Any]:
    _expect("status", answer.status, 200)
    _expect("content type", answer.content_type.partition(";")[0], STREAM)
    found = messages(answer.body)
    _expect("first and last event", [each["type"] for each in found[:1] + found[-1:]], ["started", "complete"])
    _expect("tool", found[0]["tool"], tool)
    _expect("events between", {each["type"] for each in found[1:-1]} - {"progress"}, set())
    return found[1:]


def _plain_check(tool: str, arguments: Mapping[str, Any], answer: Answer) -> None:
    *progress, last = _stream_of(answer, tool)
    found = [(e["metadata"]["progress"], e["metadata"]["total"], e["data"]["message"]) for e in progress]
    _expect("progress", found, steps(tool, arguments))
    _expect("result", last["data"], arguments.get("text", "done"))


def _tutorial_check(tool: str, arguments: Mapping[str, Any], answer: Answer) -> None:
    *progress, _ = _stream_of(answer, tool)
    if tool == "echo":
        _expect("progress", [each["data"] for each in progress], [arguments["text"]])
        return
    found = [(e["data"]["progress"], e["data"]["total"], e["data"]["message"]) for e in progress]
    _expect("progress", found, steps(tool, arguments))


PLAIN = Dialect("plain", EVENTS, _plain_call, _plain_check, b'"complete"', re.compile(rb'"duration_ms":(\d+)'))
TUTORIAL = Dialect("tutorial", EVENTS, _plain_call, _tutorial_check, b'"complete"')
