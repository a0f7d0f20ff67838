"""The heads of HTTP/2 responses: the same bytes with the speed-up and without, and h2 still sees to what it saw to."""

from __future__ import annotations

import random
from typing import Any

import pytest
from defects import lifespan
from h2.connection import H2Connection
from h2.events import ResponseReceived
from hpack import Decoder, Encoder
from live_server import client_tls, serving
from raw_h2 import raw_h2

from mcp_app.server.engine.header_blocks import IndexingEncoder

Fields = list[tuple[bytes, bytes]]


def a_head(chance: random.Random) -> Fields:
    """As heads are: fields of the static table, some that repeat, some that never do, one that fills the table."""
    fields = [(b":status", chance.choice([b"200", b"404", b"503"])), (b"content-type", b"application/json")]
    fields.append((b"content-length", b"%d" % chance.randrange(400)))
    if chance.random() < 0.5:
        fields.append((b"x-session", b"%d" % chance.randrange(10)))
    if chance.random() < 0.05:
        fields.append((b"x-large", bytes(chance.randrange(8192))))
    return fields


@pytest.mark.parametrize("seed", range(5))
def test_its_blocks_are_those_of_hpack_to_the_byte(seed: int) -> None:
    chance = random.Random(seed)
    finding, plain, decoder = IndexingEncoder(), Encoder(), Decoder()
    decoder.max_allowed_table_size = 65536
    for _ in range(1500):
        if chance.random() < 0.01:
            finding.header_table_size = plain.header_table_size = chance.choice([0, 200, 1000, 4096])
        head = a_head(chance)
        fields = [(*field, chance.random() < 0.1) for field in head]
        block = finding.encode(fields)
        assert block == plain.encode(fields)
        assert [tuple(field) for field in decoder.decode(block, raw=True)] == head


class Answering:
    """Each path is a list of fields, and each of its responses the next of their values."""

    def __init__(self, heads: dict[str, list[Fields]]) -> None:
        self.heads = heads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        head = self.heads[scope["path"]].pop(0)
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"x"})


HEADS: dict[str, list[Fields]] = {
    "/json": [[(b"content-type", b"application/json"), (b"retry-after", b"%d" % (n // 3))] for n in range(9)],
    "/upper": [[(b"X-Upper", b" spaced ")]] * 2,
    "/hop": [[(b"connection", b"close"), (b"keep-alive", b"1"), (b"transfer-encoding", b"chunked"), (b"x-a", b"1")]]
    * 2,
    "/secret": [[(b"authorization", b"Basic YTpi"), (b"x-a", b"1")]] * 2,
    "/none": [[]] * 2,
}


async def heads_of(*, released: bool) -> list[list[tuple[str, str]]]:
    """Every response's fields, as a client understands them, all on one connection."""
    seen = []
    app = Answering({path: list(heads) for path, heads in HEADS.items()})
    async with (
        serving(app, include_date_header=False, released=released) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        for path, heads in HEADS.items():
            for _ in heads:
                stream = await client.request(path)
                await client.until(lambda stream=stream: client.is_ended(stream))  # type: ignore[misc]
                [event] = [e for e in client.events if isinstance(e, ResponseReceived) and e.stream_id == stream]
                seen.append([(str(name), str(value)) for name, value in event.headers])
    return seen


async def test_clients_see_what_they_see_without_it() -> None:
    with_it, without_it = await heads_of(released=False), await heads_of(released=True)
    assert with_it == without_it
    flat = [name for head in with_it for name, _ in head]
    assert {"x-upper", "x-a", "retry-after"} <= set(flat)
    assert not {"connection", "keep-alive", "transfer-encoding"} & set(flat)


async def test_only_a_plain_head_passes_unchecked_and_h2_checks_again_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[tuple[bytes, bool]] = []
    send_headers = H2Connection.send_headers

    def watching(self: H2Connection, stream_id: int, headers: Any, *args: Any, **kwargs: Any) -> None:
        if not self.config.client_side:
            checked.append((headers[1][0], self.config.validate_outbound_headers))
        send_headers(self, stream_id, headers, *args, **kwargs)

    monkeypatch.setattr(H2Connection, "send_headers", watching)
    app = Answering({"/": [[(name, b"1")] for name in (b"x-plain", b"X-Upper", b"x-plain", b"cookie", b"x-plain")]})
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        for _ in range(5):
            stream = await client.request("/")
            await client.until(lambda stream=stream: client.is_ended(stream))  # type: ignore[misc]
    plain = [validated for name, validated in checked if name == b"x-plain"]
    others = [validated for name, validated in checked if name != b"x-plain"]
    assert plain == [False] * 3
    assert others
    assert all(others)
