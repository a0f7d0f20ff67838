"""One issuer's keys: when they are fetched, for how long they are believed, and what becomes of those who wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from oauth_tokens import EC, ISSUER, OTHER_EC, Clock, Web, claims, published, signed

from mcp_app.auth.oauth.discovery import addresses, keys_address, reachable
from mcp_app.auth.oauth.issuer import FRESH_SECONDS, OUTAGE_SECONDS, PAUSE_SECONDS, Issuer
from mcp_app.auth.oauth.outlet import MAX_ANSWER_BYTES, Outlet
from mcp_app.auth.oauth.token import UnverifiedToken, parse
from mcp_app.protocol.errors import NotReady, Unauthorized

KEYS = f"{ISSUER}/keys"


def token(**header: Any) -> UnverifiedToken:
    parsed = parse(signed(claims(), **header))
    assert parsed is not None
    return parsed


class Case:
    """An issuer, the network it is in, and its clock."""

    def __init__(self, keys_url: str = KEYS) -> None:
        self.web, self.clock = Web(), Clock(0.0)
        self.outlet = Outlet(self.web.transport)
        self.issuer = Issuer(ISSUER, keys_url, self.outlet, self.clock)

    async def fetched(self) -> None:
        """What is under way is over."""
        if (task := self.issuer._fetching) is not None:
            await asyncio.wait_for(asyncio.shield(task), 5)

    @property
    def fetches(self) -> int:
        return self.web.asked.count(KEYS)


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    made = Case()
    yield made
    await made.issuer.close()
    await made.outlet.close()


async def test_keys_are_fetched_once_for_all_who_wait(case: Case) -> None:
    found = await asyncio.gather(*(case.issuer.keys(token()) for _ in range(20)))
    assert len(set(map(id, found))) == 1
    assert case.fetches == 1
    assert case.issuer.known(token()) is found[0]


async def test_an_unknown_key_id_asks_the_issuer_now_and_then_however_many_tokens_name_one(case: Case) -> None:
    await case.issuer.keys(token())
    for _ in range(50):
        with pytest.raises(Unauthorized, match="does not have"):
            await case.issuer.keys(token(kid="unknown"))
    assert case.fetches == 1
    case.clock.now += PAUSE_SECONDS
    for _ in range(50):
        with pytest.raises(Unauthorized):
            await case.issuer.keys(token(kid="unknown"))
    assert case.fetches == 2


async def test_a_rotation_is_followed_within_the_pause(case: Case) -> None:
    await case.issuer.keys(token())
    case.web.answers[KEYS] = published(EC, OTHER_EC)
    case.clock.now += PAUSE_SECONDS
    new = parse(signed(claims(), OTHER_EC))
    assert new is not None
    assert (await case.issuer.keys(new)).names(new)
    assert case.fetches == 2


async def test_what_is_no_longer_fresh_is_fetched_beside_the_request(case: Case) -> None:
    before = await case.issuer.keys(token())
    case.clock.now += FRESH_SECONDS + 1
    assert case.issuer.known(token()) is before
    await case.fetched()
    assert case.fetches == 2
    assert case.issuer.known(token()) is before, "the same keys are the same object"


async def test_a_key_that_is_taken_back_is_not_believed_once_that_is_known(case: Case) -> None:
    await case.issuer.keys(token())
    case.web.answers[KEYS] = published(OTHER_EC)
    case.clock.now += FRESH_SECONDS + 1
    assert case.issuer.known(token()) is not None
    await case.fetched()
    assert case.issuer.known(token()) is None
    with pytest.raises(Unauthorized):
        await case.issuer.keys(token())


OUTAGES = {
    "down": httpx.ConnectError("refused"),
    "500": (500, {}, b""),
    "moved": (302, {"location": "https://evil.test/keys"}, b""),
    "html": (200, {}, b"<html>"),
    "list": [1],
    "no keys": {"keys": 7},
    "deep": (200, {}, b"[" * 100_000),
    "10 MB": (200, {}, b" " * 10_000_000),
    "compressed": (200, {"content-encoding": "gzip"}, b"\x1f\x8b" + b"0" * 20),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_503_while_nothing_is_known_and_one_line_in_the_log(
    outage: str, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.web.answers[KEYS] = OUTAGES[outage]
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        with pytest.raises(NotReady) as raised:
            await case.issuer.keys(token())
        assert raised.value.headers["Retry-After"]
        case.clock.now += PAUSE_SECONDS
    assert case.fetches == 3
    assert [record.message.partition(": ")[0] for record in caplog.records] == [
        f"the keys of the issuer {ISSUER} cannot be fetched"
    ]


@pytest.mark.parametrize("outage", OUTAGES)
async def test_in_an_outage_what_is_known_is_believed_for_a_day(outage: str, case: Case) -> None:
    before = await case.issuer.keys(token())
    case.web.answers[KEYS] = OUTAGES[outage]
    case.clock.now += OUTAGE_SECONDS
    assert case.issuer.known(token()) is before
    await case.fetched()
    assert case.issuer.known(token()) is before
    with pytest.raises(NotReady):
        await case.issuer.keys(token(kid="perhaps a new one"))
    case.clock.now += 1
    assert case.issuer.known(token()) is None
    with pytest.raises(NotReady):
        await case.issuer.keys(token())
    case.web.answers[KEYS] = published(EC)
    case.clock.now += PAUSE_SECONDS
    assert await case.issuer.keys(token())


async def test_a_slow_issuer_is_waited_for_within_a_bound(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_app.auth.oauth.issuer.WAIT_SECONDS", 0.01)
    answered = asyncio.Event()

    async def slow(request: httpx.Request) -> dict[str, Any]:
        await answered.wait()
        return published(EC)

    case.web.answers[KEYS] = lambda request: slow(request)
    with pytest.raises(NotReady):
        await case.issuer.keys(token())
    answered.set()
    await case.fetched()
    assert case.issuer.known(token()) is not None
    assert case.fetches == 1


async def test_an_answer_that_never_ends_ends(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_app.auth.oauth.outlet.REQUEST_SECONDS", 0.01)

    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    case.web.answers[KEYS] = lambda request: never(request)
    with pytest.raises(NotReady):
        await case.issuer.keys(token())


async def test_a_drip_is_bounded_in_bytes(case: Case) -> None:
    sent = 0

    async def drip() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            yield b" " * 1024

    case.web.answers[KEYS] = lambda request: httpx.Response(200, content=drip())
    with pytest.raises(NotReady):
        await case.issuer.keys(token())
    assert sent <= MAX_ANSWER_BYTES + 1024


async def test_closing_ends_a_fetch(case: Case) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    case.web.answers[KEYS] = lambda request: never(request)
    case.issuer.prepare()
    await asyncio.sleep(0)
    await case.issuer.close()
    assert case.issuer._fetching is None


async def test_the_metadata_say_where_the_keys_are() -> None:
    case = Case(keys_url="")
    assert await case.issuer.keys(token())
    assert case.web.asked == ["https://id.test/.well-known/oauth-authorization-server/realms/tools", KEYS]
    await case.outlet.close()


async def test_openid_connect_has_them_elsewhere() -> None:
    case = Case(keys_url="")
    oauth, openid = addresses(ISSUER)
    case.web.answers[openid] = case.web.answers.pop(oauth)
    assert await case.issuer.keys(token())
    assert case.web.asked == [oauth, openid, KEYS]
    await case.outlet.close()


async def test_metadata_of_another_issuer_are_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(keys_url="")
    case.web.answers[addresses(ISSUER)[0]] = {"issuer": f"{ISSUER}/", "jwks_uri": KEYS}
    with pytest.raises(NotReady):
        await case.issuer.keys(token())
    assert case.fetches == 0
    assert "the same text?" in caplog.text
    await case.outlet.close()


async def test_keys_that_have_moved_are_found_after_one_failure() -> None:
    case = Case(keys_url="")
    await case.issuer.keys(token())
    del case.web.answers[KEYS]
    case.web.answers[addresses(ISSUER)[0]] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/new"}
    case.web.answers[f"{ISSUER}/new"] = published(OTHER_EC)
    new = parse(signed(claims(), OTHER_EC))
    assert new is not None
    case.clock.now += PAUSE_SECONDS
    with pytest.raises(NotReady):
        await case.issuer.keys(new)
    case.clock.now += PAUSE_SECONDS
    assert await case.issuer.keys(new)
    await case.outlet.close()


def test_where_metadata_may_be() -> None:
    assert addresses("https://id.test/") == (
        "https://id.test/.well-known/oauth-authorization-server",
        "https://id.test/.well-known/openid-configuration",
    )
    assert addresses("https://id.test/a/b")[1] == "https://id.test/a/b/.well-known/openid-configuration"


@pytest.mark.parametrize("address", [None, 7, "", "/keys", "http://id.test/keys", "file:///etc/passwd", "https://[x"])
def test_keys_are_at_an_https_address(address: object) -> None:
    with pytest.raises(ValueError, match="no https address"):
        keys_address(ISSUER, {"issuer": ISSUER, "jwks_uri": address})


def test_on_a_developers_machine_http_will_do() -> None:
    assert reachable("http://localhost:8080/keys", insecure=True)
    assert keys_address("http://localhost:8080", {"issuer": "http://localhost:8080", "jwks_uri": "http://localhost/k"})
