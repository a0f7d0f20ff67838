"""Sequences of requests, drawn in every dialect by two callers and by nobody, against a server that runs: none is
answered with a status of the server's own fault, nothing of one caller's comes to another, a client beside them is
served throughout, and what is alive and held in the server's process is the same at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from live_server import LiveServer

from .drawn_requests import PLACES, SEQUENCE, Step, sequences
from .examples import count, examples, time_bound
from .raw_http import Connection, Reply
from .unharmed import SETTLING_SECONDS, fuzzed, mark, unharmed

IN_SUITE = 300
"""Requests."""

UNSUPPORTED = {501, 505}
"""Of a transfer coding, and of a version of HTTP, that nobody here has: the request's fault (RFC 9112, 6.1; RFC 9110,
15.6.6)."""

OPEN = re.compile(
    r"/(|healthz|readyz|mcp\.json|openapi\.json|mcp/server-card|\.well-known/.*|page/.*)/*(\?.*)?", re.DOTALL
)
"""What is answered whoever asks."""

pytestmark = pytest.mark.time_bound(time_bound(IN_SUITE) + 3 * SETTLING_SECONDS)


@dataclass
class World:
    """What is known of a server, by what it has answered. `owners` has the caller of each run and session."""

    keys: dict[str, str]
    known: dict[str, list[str]] = field(default_factory=lambda: {place: [] for place in PLACES})
    owners: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known["key"] = [f"shared-key-of-all-{number}" for number in range(8)]

    def filled(self, text: str, step: Step) -> str:
        """The text with something known in the place of each placeholder."""
        for place in PLACES:
            if f"{{{place}}}" in text:
                found = self.known[place][-30:]
                text = text.replace(f"{{{place}}}", found[step.pick % len(found)] if found else "0" * 32)
        return text.replace("{mark}", mark(step.who))

    def request(self, step: Step) -> bytes:
        """The bytes of a request."""
        if step.raw is not None:
            return step.raw
        headers = [("Host", "127.0.0.1"), *step.headers]
        if any(name == "Host" for name, _ in step.headers):
            del headers[0]
        match step.who:
            case "nobody":
                pass
            case "junk":
                headers.append(("Authorization", f"Bearer mcpk_{self.keys['a'][5:-4]}xxxx"))
            case "basic":
                headers.append(("Authorization", "Basic YTpi"))
            case "twice":
                headers += [("Authorization", f"Bearer {self.keys[name]}") for name in "ab"]
            case _:
                headers.append(("Authorization", f"Bearer {self.keys[step.who]}"))
        body = b"" if step.body is None else self.filled(step.body.decode(), step).encode()
        if step.body is not None and not any(name == "Transfer-Encoding" for name, _ in headers):
            headers.append(("Content-Length", str(len(body))))
        lines = [f"{step.method} {self.filled(step.path, step)} HTTP/1.1"]
        lines += [f"{name}: {self.filled(value, step)}" for name, value in headers]
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body

    def learn(self, step: Step, reply: Reply) -> None:
        """Remember what an answer names, and whose it is."""
        text = reply.body.decode("utf-8", "replace")
        session = reply.headers.get("mcp-session-id", "")
        found = {
            "run": re.findall(r'"(?:run|id)":"([0-9a-f]{32})"', text),
            "event": re.findall(r"^id: (\S+)$", text, re.MULTILINE),
            "session": [session] if session else re.findall(r"session=([\w-]+)", text),
            "task": re.findall(r'"taskId":"([^"]+)"', text),
            "state": re.findall(r'"requestState":"([^"]+)"', text),
        }
        for place, names in found.items():
            for name in names:
                self.owners.setdefault(name, step.who)
                self.known[place].append(name)
            del self.known[place][:-30]


def check(world: World, step: Step, sent: bytes, reply: Reply) -> None:
    """What holds of every answer."""
    said = f"{sent[:3000]!r}\n-> {reply.status} {reply.headers} {reply.body[:3000]!r}"
    assert reply.status < 500 or reply.status in UNSUPPORTED or _is_own_cap(sent, reply), said
    others = {"a", "b"} - {step.who}
    assert not any(mark(other).encode() in reply.body for other in others), f"another's text: {said}"
    if reply.whole and reply.kind == "application/json" and reply.body.strip():
        value = json.loads(reply.body)
        if reply.status >= 400:
            assert error_of(value).keys() >= {"message", "code"}, said
    if step.raw is None and step.who not in {"a", "b"} and not OPEN.fullmatch(step.path) and step.method != "OPTIONS":
        assert reply.status >= 400, f"nobody was let in: {said}"
    target = re.search(r"/runs/([0-9a-f]{32})", world.filled(step.path, step)) if step.raw is None else None
    if target is not None and world.owners.get(target[1], step.who) != step.who and step.method != "OPTIONS":
        # Who comes back to a run that is not there is answered by the id alone: 204 after a last event, else a stream
        # of one event.
        assert reply.status >= 400 or (reply.status == 204 and b"/0" in sent) or _is_lost(reply), f"another's: {said}"


def _is_own_cap(sent: bytes, reply: Reply) -> bool:
    """Whether the call ended at the cap that it named itself, before the tool that waits for ever."""
    return reply.status == 504 and b"cap_seconds" in sent and error_of(json.loads(reply.body))["code"] == "time_cap"


def _is_lost(reply: Reply) -> bool:
    """Whether it is that one event, or the header fields of it."""
    event = reply.body.count(b"data:") == 1 and b'"code":"unknown_run"' in reply.body
    return event or (reply.kind == "text/event-stream" and not reply.body)


def error_of(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value[0]["error"] if isinstance(value, list) else value["error"]
    return found


@pytest.fixture
def server(tmp_path: Path, keys: dict[str, str]) -> Iterator[LiveServer]:
    with fuzzed(tmp_path) as live:
        yield live


def test_whatever_is_sent_the_server_stays_as_it_is(server: LiveServer, keys: dict[str, str]) -> None:
    world = World(keys)
    sequences_drawn = max(1, count(IN_SUITE) // SEQUENCE)

    @settings(examples(IN_SUITE), max_examples=sequences_drawn)
    @given(sequences)
    def send(steps: list[Step]) -> None:
        with closing(Connection(server.port)) as connection:
            for step in steps:
                sent = world.request(step)
                reply = connection.ask(sent, head=step.method == "HEAD", waits=step.waits)
                world.requests += 1
                if reply is not None:
                    world.statuses[reply.status] = world.statuses.get(reply.status, 0) + 1
                    check(world, step, sent, reply)
                    world.learn(step, reply)
        watch.note(world.requests // SEQUENCE, sequences_drawn)

    with unharmed(server, keys) as watch:
        send()
        assert world.requests >= sequences_drawn * SEQUENCE
        print(f"{world.requests} requests: {dict(sorted(world.statuses.items()))}")
