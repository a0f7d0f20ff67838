"""The rule by which verifiers are asked, and what becomes of whom none of them knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mcp_app import Access, Settings, Verifier, errors
from mcp_app.auth import authentication
from mcp_app.auth.authentication import Authentication
from mcp_app.auth.verifier import VerifierError, as_verifier
from mcp_app.protocol.access import ANONYMOUS, UNKNOWN
from mcp_app.web.messages import Request

PUBLIC = "https://tools.example.com"


def settings(**given: Any) -> Settings:
    return Settings(**{"allow_anonymous": False, **given})


def asking(*verifiers: object, **given: Any) -> Authentication:
    return Authentication(settings(**given), [as_verifier(each) for each in verifiers])


def request(**headers: str) -> Request:
    return Request("POST", "/mcp", headers={"host": "localhost", **headers})


BEARER = {"authorization": "Bearer abc"}


async def said(authentication: Authentication, asked: Request, *args: Any, **more: Any) -> Access:
    found = authentication.access(asked, *args, **more)
    return found if isinstance(found, Access) else await found


async def refused(authentication: Authentication, asked: Request, *args: Any) -> errors.McpAppError:
    with pytest.raises(errors.McpAppError) as caught:
        await said(authentication, asked, *args)
    return caught.value


def ann(asked: Request) -> Access | None:
    return Access("ann", frozenset({"read"})) if asked.headers.get("x-user") == "ann" else None


def bob(asked: Request) -> str | None:
    return "bob" if asked.headers.get("x-user") in ("ann", "bob") else None


async def cid(asked: Request) -> str | None:
    await asyncio.sleep(0)
    return "cid" if asked.headers.get("x-user") == "cid" else None


# --- whether callers are asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "asks", "nobody"),
    [
        ({}, False, ANONYMOUS),
        ({"allow_anonymous": True}, False, UNKNOWN),
        ({"public_url": PUBLIC}, True, None),
        ({"public_url": PUBLIC, "allow_anonymous": True}, True, UNKNOWN),
        ({"public_url": "http://localhost:8000"}, False, ANONYMOUS),
        ({"public_url": "http://LocalHost.:8000"}, False, ANONYMOUS),
        ({"public_url": "http://127.0.0.1:8000"}, False, ANONYMOUS),
        ({"public_url": "http://127.7.7.7"}, False, ANONYMOUS),
        ({"public_url": "http://[::1]:8000"}, False, ANONYMOUS),
        ({"public_url": "http://10.0.0.7"}, True, None),
        ({"public_url": "http://[fd00::7]"}, True, None),
        ({"public_url": "http://localhost.example.com"}, True, None),
    ],
)
async def test_a_public_name_asks_and_the_setting_lets_in(
    given: dict[str, Any], asks: bool, nobody: Access | None
) -> None:
    found = asking(**given)
    assert (found.asks, found.verifies) == (asks, False)
    for asked in (request(), request(**BEARER), request(authorization="garbage")):  # a proxy's own, perhaps
        if nobody is None:
            error = await refused(found, asked)
            assert (error.code, error.status) == ("unauthorized", 401)
            assert "MCP_APP_KEYS" in error.hint
        else:
            assert await said(found, asked) is nobody


async def test_with_a_verifier_who_shows_nothing_is_refused_on_every_address() -> None:
    found = asking(ann)
    assert found.asks
    assert found.verifies
    error = await refused(found, request())
    assert (error.code, error.headers) == ("unauthorized", {"WWW-Authenticate": "Bearer"})


async def test_wrong_credentials_are_refused_even_where_nobody_needs_any() -> None:
    found = asking(ann, allow_anonymous=True)
    assert await said(found, request()) is UNKNOWN
    assert (await refused(found, request(**BEARER))).headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert (await refused(found, request(authorization="Basic Og=="))).headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("field", ["Bearer a, Bearer b", "Bearer", "Bearer " + "a" * 65_536, "\0"])
async def test_credentials_that_are_none_are_a_bad_request(field: str) -> None:
    error = await refused(asking(ann), request(authorization=field))
    assert (error.code, error.status) == ("invalid_credentials", 400)


# --- the order -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verifiers", "user", "principal"),
    [
        ((ann, bob, cid), "ann", "ann"),
        ((bob, ann), "ann", "bob"),
        ((ann, bob, cid), "bob", "bob"),
        ((ann, bob, cid), "cid", "cid"),
        ((cid, ann), "ann", "ann"),
        ((cid, cid, bob), "bob", "bob"),
    ],
)
async def test_the_first_that_knows_the_caller_decides(verifiers: tuple[Any, ...], user: str, principal: str) -> None:
    assert (await said(asking(*verifiers), request(**{"x-user": user}))).principal == principal


async def test_one_that_refuses_decides_as_well() -> None:
    def refuses(_: Request) -> Access | None:
        raise errors.Unauthorized("It has expired.")

    async def refuses_later(_: Request) -> Access | None:
        raise errors.Unauthorized("It has expired.", headers={"WWW-Authenticate": 'DPoP algs="ES256"'})

    error = await refused(asking(refuses, ann), request(**BEARER, **{"x-user": "ann"}))
    assert (error.message, error.headers) == ("It has expired.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    for order in ((refuses_later, ann), (cid, refuses_later, ann)):
        error = await refused(asking(*order), request(**BEARER, **{"x-user": "ann"}))
        assert error.headers == {"WWW-Authenticate": 'DPoP algs="ES256"'}  # its own challenge stays


async def test_nothing_is_awaited_where_verifiers_answer_at_once() -> None:
    found = asking(bob, ann)
    assert isinstance(found.access(request(**{"x-user": "ann"})), Access)


async def test_the_host_is_asked_after_the_verifiers() -> None:
    async def host() -> Access:
        return Access("host's")

    async def nobody() -> Access:
        raise errors.Unauthorized("Nobody is signed in.")

    for verifiers in ((ann,), (cid, ann)):
        found = asking(*verifiers)
        assert (await said(found, request(**{"x-user": "ann"}), host)).principal == "ann"
        assert (await said(found, request(), host)).principal == "host's"
        assert (await refused(found, request(), nobody)).message == "Nobody is signed in."
    assert (await said(asking(), request(authorization="what the host reads"), host)).principal == "host's"


# --- what is open to all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [None, "Bearer abc", "a, b", "Basic Og=="])
@pytest.mark.parametrize("verifiers", [(ann,), (cid,)], ids=["at once", "later"])
async def test_what_is_open_to_all_is_shown_without_what_needs_a_scope(
    field: str | None, verifiers: tuple[Any, ...]
) -> None:
    asked = request() if field is None else request(authorization=field)
    assert await said(asking(*verifiers), asked, open_to_all=True) is UNKNOWN
    assert await said(asking(public_url=PUBLIC), asked, open_to_all=True) is UNKNOWN
    assert await said(asking(), asked, open_to_all=True) is ANONYMOUS


@pytest.mark.parametrize(("verifier", "user"), [(ann, "ann"), (cid, "cid")])
async def test_who_is_known_is_known_there_too(verifier: Any, user: str) -> None:
    assert (await said(asking(verifier), request(**{"x-user": user}), open_to_all=True)).principal == user


# --- scopes ----------------------------------------------------------------------------------------------------------


async def test_what_was_granted_implies_what_the_setting_says() -> None:
    def granted(asked: Request) -> Access:
        return Access("ann", frozenset(asked.headers["x-scopes"].split()), steps_up=True, claims={"a": 1})

    found = asking(granted, scopes="write>read")
    access = await said(found, request(**{"x-scopes": "write"}))
    assert access.scopes == {"write", "read"}
    assert (access.principal, access.steps_up, access.claims) == ("ann", True, {"a": 1})
    assert (await said(found, request(**{"x-scopes": "read"}))).scopes == {"read"}
    assert (await said(asking(bob, scopes="write>read"), request(**{"x-user": "bob"}))).scopes is None


# --- a verifier of an author's, and its faults -----------------------------------------------------------------------


class Own(Verifier):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def verify(self, asked: Request) -> Access | None:
        return Access("own", credential=asked.headers["x-user"])

    async def revoked(self, access: Access) -> bool:
        return access.credential == "eve"

    def metadata(self, asked: Request) -> str | None:
        return f"{asked.url}/metadata"

    async def start(self) -> None:
        self.log.append("start")

    async def close(self) -> None:
        self.log.append("close")


async def test_a_class_of_an_authors_has_all_that_ours_have() -> None:
    log: list[str] = []
    found = Authentication(settings(), [Own(log)])
    await found.start()
    access = await said(found, request(**{"x-user": "eve"}))
    assert access.principal == "own"
    assert await found.revoked(access)
    assert not await found.revoked(Access("own"))
    fields = (("WWW-Authenticate", "Bearer"),)
    assert found.challenged(request(), fields) == (
        ("WWW-Authenticate", 'Bearer resource_metadata="http://localhost/mcp/metadata"'),
    )
    await found.close()
    assert log == ["start", "close"]


async def test_what_was_started_is_closed_when_another_cannot_start() -> None:
    class Broken(Verifier):
        async def start(self) -> None:
            raise VerifierError("no such file")

    log: list[str] = []
    with pytest.raises(VerifierError):
        await Authentication(settings(), [Own(log), Broken()]).start()
    assert log == ["start", "close"]


async def test_one_that_fails_to_name_its_metadata_or_a_sign_out_changes_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Verifier):
        def metadata(self, asked: Request) -> str:
            raise LookupError("the table is away")

        def signed_out(self, access: Access) -> bool:
            raise LookupError("the table is away")

    class SignedOut(Own):
        def signed_out(self, access: Access) -> bool:
            return access.credential == "eve"

    found = Authentication(settings(), [Broken(), SignedOut([])])
    [(_, value)] = found.challenged(request(), (("WWW-Authenticate", "Bearer"),))
    assert value == 'Bearer resource_metadata="http://localhost/mcp/metadata"'
    assert found.signed_out(Access("own", credential="eve"))
    assert not await found.ended(Access("own", credential="ann"))
    for name in ("metadata", "signed_out"):
        assert f"Broken.{name} (" in caplog.text


async def test_one_that_does_not_close_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "CLOSE_SECONDS", 0.01)

    class Broken(Own):
        async def close(self) -> None:
            raise LookupError("the table is away")

    class Hanging(Own):
        async def close(self) -> None:
            await asyncio.Event().wait()

    log: list[str] = []
    await asyncio.wait_for(Authentication(settings(), [Broken(log), Hanging(log), Own(log)]).close(), 10)
    assert log == ["close"]
    for name in ("Broken", "Hanging"):
        assert f"{name}.close" in caplog.text


def returns(value: object) -> Callable[[Request], Any]:
    def made(_: Request) -> Any:
        return value

    return made


async def test_what_no_verifier_may_return_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"returns\.<locals>\.made \(.*test_authentication\.py:\d+\) returned int"):
        asking(returns(1)).access(request())
    with pytest.raises(TypeError, match="returned str"):
        asking(returns("")).access(request())
    for name in ("key:abc", "certificate:uri:x", "https://id.example.com somebody"):
        with pytest.raises(ValueError, match="returned a name that begins with key: or certificate:, or is an issuer"):
            asking(returns(name)).access(request())
    with pytest.raises(UnicodeEncodeError):
        asking(returns("\ud800")).access(request())

    class Wrong(Verifier):
        def verify(self, _: Request) -> Any:
            return "ann"

    with pytest.raises(TypeError, match=r"Wrong\.verify.* returned str, no Access"):
        Authentication(settings(), [Wrong()]).access(request())


@pytest.mark.parametrize("wrong", ["ann", None, 1, Verifier, Own])
def test_what_is_no_verifier_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="a verifier is a function of the request"):
        as_verifier(wrong)


async def test_a_verifier_that_never_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "VERIFY_SECONDS", 0.01)

    async def never(_: Request) -> Access | None:
        await asyncio.Event().wait()
        return None

    async def ends_itself(_: Request) -> Access | None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match=r"did not say within 0\.01 s who calls"):
        await said(asking(never), request())
    with pytest.raises(TimeoutError, match="of its own"):
        await said(asking(ends_itself), request())
