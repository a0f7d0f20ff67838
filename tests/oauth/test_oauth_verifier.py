"""`OAuth` as a verifier: whom a request's token names, what is kept of it, and what takes it back."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc.jwk import Key
from oauth_tokens import EC, ISSUER, NOW, OTHER_EC, RSA, SERVER, Clock, Web, claims, part, published, signed
from pydantic import SecretStr

from mcp_app.auth.oauth import verifier as module
from mcp_app.auth.oauth.issuer import FRESH_SECONDS
from mcp_app.auth.oauth.outlet import Outlet
from mcp_app.auth.oauth.resources import ProtectedResources
from mcp_app.auth.oauth.verifier import INTROSPECTED_SECONDS, OAuth
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import NotReady, Unauthorized
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.web.messages import Request

SECOND = "https://other.test/"
ASK = f"{ISSUER}/introspect"


class Case:
    def __init__(self, *, opaque: bool = False) -> None:
        self.web = Web({f"{SECOND}keys": published(RSA)})
        self.clock, self.ticks = Clock(), Clock(0.0)
        issuers = {ISSUER: ""} if opaque else {ISSUER: "", SECOND: f"{SECOND}keys"}
        self.outlet = Outlet(self.web.transport)
        self.oauth = OAuth(
            ProtectedResources(SERVER, ["/mcp"], list(issuers)),
            issuers,
            self.outlet,
            introspection=(ASK, "tools", SecretStr("a secret")) if opaque else None,
            hierarchy=Hierarchy.read("admin>write>read"),
            clock=self.clock,
            ticks=self.ticks,
        )

    async def verified(self, token: str | None, scheme: str = "Bearer") -> Access | None:
        headers = {} if token is None else {"authorization": f"{scheme} {token}"}
        if token is not None and (recalled := self.oauth.recall(headers["authorization"])) is not None:
            return recalled
        found = self.oauth.verify(Request("POST", "/mcp", headers=headers))
        return await found if inspect.isawaitable(found) else found

    async def fetched(self, issuer: str) -> None:
        """The fetch of its keys that is under way is over."""
        task = self.oauth._issuers[issuer]._fetching
        assert task is not None
        await asyncio.wait_for(asyncio.shield(task), 5)

    def at_once(self, token: str) -> Access:
        """Without a turn of the loop."""
        field = f"Bearer {token}"
        found = self.oauth.recall(field) or self.oauth.verify(Request("POST", "/", headers={"authorization": field}))
        assert isinstance(found, Access)
        return found


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    made = Case()
    yield made
    await made.oauth.close()


@pytest.fixture
async def opaque() -> AsyncIterator[Case]:
    made = Case(opaque=True)
    yield made
    await made.oauth.close()


async def test_a_token_gives_an_access(case: Case) -> None:
    access = await case.verified(signed(claims(scope="write x")))
    assert access is not None
    assert access.principal == f"{ISSUER} alice"
    assert access.scopes == {"write", "read", "x"}
    assert access.steps_up
    assert access.expires == NOW + 630
    assert access.claims["jti"] == "1"
    assert access.credential


async def test_the_next_request_is_answered_at_once_and_with_the_same(case: Case) -> None:
    token = signed(claims())
    assert case.oauth.recall(f"Bearer {token}") is None
    assert await case.verified(token) is case.oauth.recall(f"Bearer {token}")
    assert len(case.web.asked) == 2


async def test_a_new_token_of_the_same_is_the_same_caller_and_another_issuers_is_not(case: Case) -> None:
    first, second = await case.verified(signed(claims())), await case.verified(signed(claims(jti="2", scope="write")))
    other = await case.verified(signed(claims(iss=SECOND), RSA, "RS256"))
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.principal == second.principal != other.principal
    assert first.credential != second.credential


@pytest.mark.parametrize(("issuer", "key", "algorithm"), [(ISSUER, RSA, "RS256"), (SECOND, EC, "ES256")])
async def test_an_issuer_cannot_sign_for_another(case: Case, issuer: str, key: Key, algorithm: str) -> None:
    await case.verified(signed(claims()))
    with pytest.raises(Unauthorized):
        await case.verified(signed(claims(iss=issuer), key, algorithm))
    with pytest.raises(Unauthorized, match="signature"):
        await case.verified(signed(claims(), OTHER_EC, kid=EC.kid))


async def test_a_principal_has_one_spelling(case: Case) -> None:
    """No subject of one issuer is spelt as one of another."""
    with pytest.raises(Unauthorized):
        await case.verified(signed(claims(sub="a\nb")))
    access = await case.verified(signed(claims(sub=f"x {SECOND} alice")))
    assert access is not None
    assert access.principal.split(" ", 1) == [ISSUER, f"x {SECOND} alice"]


async def test_what_is_not_its_own_is_left_to_the_next_verifier(case: Case) -> None:
    for token in ("mcpk_abc_def", "opaque", part({"alg": "ES256"})):
        assert await case.verified(token) is None
    assert await case.verified(signed(claims(iss="https://nobody.test"))) is None
    assert await case.verified(signed(claims(iss=["x"]))) is None
    assert await case.verified(None) is None
    assert await case.verified(signed(claims()), "DPoP") is None
    assert case.web.asked == []


async def test_what_is_refused_by_its_claims_asks_nobody(case: Case) -> None:
    for changes in ({"aud": "https://other.test"}, {"exp": NOW - 60}, {"sub": None}):
        with pytest.raises(Unauthorized):
            await case.verified(signed(claims(**changes)))
    assert case.web.asked == []


async def test_a_kept_token_expires(case: Case) -> None:
    token = signed(claims(exp=NOW + 100))
    await case.verified(token)
    case.clock.now = NOW + 129
    assert case.at_once(token)
    case.clock.now = NOW + 130
    with pytest.raises(Unauthorized, match="expired"):
        await case.verified(token)


async def test_keys_are_asked_for_at_the_start_and_nobody_waits(case: Case) -> None:
    await case.oauth.start()
    await case.fetched(ISSUER)
    assert case.at_once(signed(claims()))


async def test_a_key_that_is_taken_back_takes_its_tokens_with_it(case: Case) -> None:
    token = signed(claims())
    access = await case.verified(token)
    assert access is not None
    assert await case.oauth.revoked(access) is False
    case.web.answers[f"{ISSUER}/keys"] = published(OTHER_EC)
    case.ticks.now += FRESH_SECONDS + 1
    assert await case.oauth.revoked(access) is False
    await case.fetched(ISSUER)
    assert await case.oauth.revoked(access) is True
    with pytest.raises(Unauthorized):
        await case.verified(token)
    assert await case.oauth.revoked(access) is True


async def test_a_further_key_takes_nothing_back(case: Case) -> None:
    access = await case.verified(signed(claims()))
    assert access is not None
    case.web.answers[f"{ISSUER}/keys"] = published(OTHER_EC, EC)
    case.ticks.now += FRESH_SECONDS + 1
    await case.oauth.revoked(access)
    await case.fetched(ISSUER)
    assert await case.oauth.revoked(access) is False


async def test_an_access_of_another_verifier_is_not_taken_back(case: Case) -> None:
    assert await case.oauth.revoked(Access("key:1", credential="1")) is False
    assert await case.oauth.revoked(Access("anonymous")) is False


async def test_what_is_kept_is_bounded(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    tokens = [signed(claims(jti=str(n))) for n in range(5)]
    for token in tokens:
        await case.verified(token)
    assert len(case.oauth._kept) == 3
    monkeypatch.setattr(module, "MAX_KEPT_CHARACTERS", 2 * len(f"Bearer {tokens[0]}"))
    await case.verified(tokens[0])
    assert len(case.oauth._kept) <= 2
    assert case.oauth._characters == sum(map(len, case.oauth._kept))
    await case.verified(" " * len(tokens[1]) * 2 + tokens[1])
    assert case.oauth._kept == {}, "what is kept is the whole field"
    assert case.oauth._characters == 0
    assert case.oauth._fields == {}


async def test_a_token_is_kept_once_however_its_field_is_spelt(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    first, other = signed(claims()), signed(claims(sub="bob"))
    await case.verified(other)
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer ", "Bearer  "):
        await case.verified(first, scheme)
    assert [each.token for each in case.oauth._kept.values()] == [other, first]
    assert len(case.oauth._fields) == 2


async def test_a_token_that_has_something_open_is_not_forgotten(opaque: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    opaque.web.answers[ASK] = active()
    access = await opaque.verified("open")
    assert access is not None
    for number in range(5):
        assert await opaque.oauth.revoked(access) is False
        await opaque.verified(f"t{number}")
    opaque.web.answers[ASK] = {"active": False}
    opaque.clock.now += INTROSPECTED_SECONDS
    assert await opaque.oauth.revoked(access) is True


# --- introspection ---------------------------------------------------------------------------------------------------


def active(**changes: Any) -> dict[str, Any]:
    return {"active": True, **claims(token_type="Bearer", **changes)}


async def test_an_opaque_token_is_explained_by_its_issuer(opaque: Case) -> None:
    opaque.web.answers[ASK] = active(scope="admin")
    access = await opaque.verified("an-opaque-token")
    assert access is not None
    assert access.principal == f"{ISSUER} alice"
    assert access.scopes == {"admin", "write", "read"}
    assert parse_qs(opaque.web.forms[0]) == {"token": ["an-opaque-token"], "token_type_hint": ["access_token"]}


async def test_the_servers_own_password_is_encoded(opaque: Case) -> None:
    seen = []
    opaque.web.answers[ASK] = lambda request: seen.append(request.headers["authorization"]) or active()
    await opaque.verified("t")
    assert seen == [httpx.BasicAuth("tools", "a+secret")._auth_header]


async def test_answers_are_believed_for_some_seconds_and_then_asked_for_again(opaque: Case) -> None:
    opaque.web.answers[ASK] = active()
    access = await opaque.verified("t")
    assert opaque.at_once("t") is access
    opaque.clock.now += INTROSPECTED_SECONDS
    assert await opaque.verified("t") == access
    assert opaque.web.asked == [ASK, ASK]


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {},
        {"active": "true", **claims()},
        active(aud="https://other.test"),
        active(aud=None),
        active(sub=None),
        active(iss=SECOND),
        active(exp=NOW - 60),
        active(cnf={"x5t#S256": "x"}),
        active() | {"token_type": "DPoP"},
    ],
    ids=str,
)
async def test_what_its_issuer_does_not_vouch_for_here_is_refused(opaque: Case, answer: dict[str, Any]) -> None:
    opaque.web.answers[ASK] = answer
    try:
        assert await opaque.verified("t") is None
    except Unauthorized:
        pass
    assert opaque.oauth._kept == {}


async def test_what_need_not_be_in_an_answer(opaque: Case) -> None:
    opaque.web.answers[ASK] = active(iss=None, exp=None)
    access = await opaque.verified("t")
    assert access is not None
    assert access.expires is None


async def test_a_token_that_is_taken_back_is_seen_within_seconds(opaque: Case) -> None:
    opaque.web.answers[ASK] = active()
    access = await opaque.verified("t")
    assert access is not None
    opaque.web.answers[ASK] = {"active": False}
    assert await opaque.oauth.revoked(access) is False
    opaque.clock.now += INTROSPECTED_SECONDS
    assert await opaque.verified("t") is None, "a request may be the first to see it"
    assert await opaque.oauth.revoked(access) is True


async def test_an_outage_of_introspection_is_503_and_takes_nothing_back(opaque: Case) -> None:
    opaque.web.answers[ASK] = active()
    access = await opaque.verified("t")
    assert access is not None
    opaque.web.answers[ASK] = httpx.ConnectError("refused")
    opaque.clock.now += INTROSPECTED_SECONDS
    with pytest.raises(NotReady):
        await opaque.verified("t")
    assert await opaque.oauth.revoked(access) is False
    opaque.clock.now = NOW + 700
    assert await opaque.oauth.revoked(access) is False, "that it expires is an end of its own"


async def test_one_token_is_asked_for_once_at_a_time_and_many_in_turns(opaque: Case) -> None:
    at_once = most = 0
    go = asyncio.Event()

    async def slow(request: httpx.Request) -> dict[str, Any]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await go.wait()
        at_once -= 1
        return active()

    opaque.web.answers[ASK] = lambda request: slow(request)
    same = [asyncio.create_task(opaque.verified("t")) for _ in range(10)]
    others = [asyncio.create_task(opaque.verified(f"t{n}")) for n in range(40)]
    for _ in range(20):
        await asyncio.sleep(0)
    go.set()
    assert all(await asyncio.wait_for(asyncio.gather(*same, *others), 10))
    assert most == 16
    assert len(opaque.web.asked) == 41


async def test_whoever_leaves_does_not_end_what_others_wait_for(opaque: Case) -> None:
    go = asyncio.Event()

    async def slow(request: httpx.Request) -> dict[str, Any]:
        await go.wait()
        return active()

    opaque.web.answers[ASK] = lambda request: slow(request)
    leaving, staying = (asyncio.create_task(opaque.verified("t")) for _ in range(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.wait({leaving})
    go.set()
    assert await asyncio.wait_for(staying, 5)


async def test_a_token_that_is_too_long_is_asked_for_nowhere(opaque: Case) -> None:
    assert await opaque.oauth._introspected("t" * 16_385, "Bearer") is None
    assert opaque.web.asked == []


async def test_metadata_are_named_by_the_resource(case: Case) -> None:
    url = case.oauth.metadata(Request("POST", "/mcp"))
    assert url == f"{SERVER}/.well-known/oauth-protected-resource/mcp"
