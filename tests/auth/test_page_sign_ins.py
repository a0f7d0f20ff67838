"""A browser signs in by a key: what its cookie opens, for how long, and whose page may use it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from key_stage import PAGE, SIGN_IN, TOOLS, KeyStage, cookie_of, error_of, said

from mcp_app import Settings
from mcp_app.auth.authentication import Authentication
from mcp_app.auth.page_sign_in import PageSignInRoutes
from mcp_app.auth.sign_in_cookie import ID_BYTES, SIGN_IN_SECONDS
from mcp_app.manifest import DOCUMENT_PATHS
from mcp_app.protocol.access import ANONYMOUS, Access
from mcp_app.protocol.errors import InvalidRequest
from mcp_app.web.guard import Guard
from mcp_app.web.messages import Request

NOBODY = {"caller": None, "asks": True, "by_key": True, "signed_in": False}
SECRET = "0123456789abcdef0123456789abcdef"


async def test_the_page_is_told_that_it_must_sign_in_and_its_visitor_calls_after_it(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    assert said(await stage.ask("GET", SIGN_IN)) == NOBODY
    assert error_of(await stage.ask("GET", TOOLS)) == (401, "unauthorized")
    cookie = await stage.sign_in(key)
    assert (await stage.ask("GET", TOOLS, cookie=cookie)).status == 200
    assert said(await stage.ask("GET", SIGN_IN, cookie=cookie)) == {
        "caller": "laptop", "asks": True, "by_key": True, "signed_in": True,
    }  # fmt: skip


async def test_the_visitor_is_the_keys_principal_with_its_expiry_or_the_sign_ins(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    soon = await stage.add_key("soon", expires=int(stage.now) + 60)
    for each, seconds in ((key, SIGN_IN_SECONDS), (soon, 60)):
        cookie = await stage.sign_in(each)
        access = stage.sign_ins.verify(Request("GET", TOOLS, headers={"cookie": cookie}))
        shown = stage.keys.verify(Request("GET", TOOLS, headers={"authorization": f"Bearer {each}"}))
        assert access is not None
        assert shown is not None
        credential, _, sign_in = access.credential.partition("/")
        assert (access.principal, access.scopes, credential) == (shown.principal, shown.scopes, shown.credential)
        assert len(sign_in) == 2 * ID_BYTES
        assert access.expires == pytest.approx(stage.now + seconds, abs=0.001)


async def test_it_is_over_after_a_day_of_work_or_when_its_key_expires(stage: KeyStage) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    soon = await stage.sign_in(await stage.add_key("soon", expires=int(stage.now) + 60))
    stage.now += 59
    assert (await stage.ask("GET", TOOLS, cookie=soon)).status == 200
    stage.now += 1
    assert error_of(await stage.ask("GET", TOOLS, cookie=soon)) == (401, "unauthorized")
    stage.now += SIGN_IN_SECONDS - 61
    assert (await stage.ask("GET", TOOLS, cookie=cookie)).status == 200
    stage.now += 1
    assert error_of(await stage.ask("GET", TOOLS, cookie=cookie)) == (401, "unauthorized")
    assert said(await stage.ask("GET", SIGN_IN, cookie=cookie)) == NOBODY


async def test_it_is_over_when_its_key_is_revoked(stage: KeyStage) -> None:
    key, other = await stage.add_key("laptop"), await stage.add_key("other")
    cookie, kept = await stage.sign_in(key), await stage.sign_in(other)
    await stage.revoke(key)
    assert error_of(await stage.ask("GET", TOOLS, cookie=cookie)) == (401, "unauthorized")
    assert (await stage.ask("GET", TOOLS, cookie=kept)).status == 200


async def test_who_signs_out_is_out_with_that_cookie_and_no_other(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    cookie, elsewhere = await stage.sign_in(key), await stage.sign_in(key)
    answer = await stage.ask("DELETE", SIGN_IN, cookie=f"a=b; {cookie}", origin=PAGE)
    assert answer.status == 204
    assert cookie_of(answer) == cookie.partition("=")[0] + "="
    assert error_of(await stage.ask("GET", TOOLS, cookie=cookie)) == (401, "unauthorized")
    assert (await stage.ask("GET", TOOLS, cookie=elsewhere)).status == 200
    for again in (cookie, "", "a=b"):
        assert (await stage.ask("DELETE", SIGN_IN, cookie=again, origin=PAGE)).status == 204


async def test_what_is_remembered_of_sign_ins_that_were_ended_is_bounded(
    stage: KeyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_app.auth.page_sign_in.MAX_SIGNED_OUT", 2)
    key = await stage.add_key("laptop")
    cookies = [await stage.sign_in(key) for _ in range(3)]
    for cookie in cookies:
        await stage.ask("DELETE", SIGN_IN, cookie=cookie, origin=PAGE)
    assert len(stage.sign_ins._signed_out) == 2
    assert error_of(await stage.ask("GET", TOOLS, cookie=cookies[-1])) == (401, "unauthorized")


@pytest.mark.parametrize("shown", ["Bearer mcpk_wrong", "Bearer x", "Basic YTpi", "Bearer", "", None])
async def test_what_is_no_key_of_ours_signs_nobody_in(stage: KeyStage, shown: str | None) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    for with_cookie in (None, cookie):
        answer = await stage.ask("POST", SIGN_IN, origin=PAGE, authorization=shown, cookie=with_cookie)
        assert error_of(answer) == (401, "unauthorized")
        assert not [value for name, value in answer.headers if name == "Set-Cookie"]


async def test_two_keys_at_once_sign_nobody_in(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    answer = await stage.ask("POST", SIGN_IN, origin=PAGE, authorization=f"Bearer {key}, Bearer {key}")
    assert error_of(answer) == (401, "unauthorized")


async def test_credentials_in_the_field_go_before_the_cookie(stage: KeyStage) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    other = await stage.add_key("other")
    shown = said(await stage.ask("GET", SIGN_IN, cookie=cookie, authorization=f"Bearer {other}"))
    assert (shown["caller"].startswith("key:"), shown["signed_in"]) == (True, False)
    answer = await stage.ask("GET", TOOLS, cookie=cookie, authorization="Bearer wrong")
    assert error_of(answer) == (401, "unauthorized")


# --- whose page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9000"},
        {"origin": None, "sec_fetch_site": "cross-site"},
        {"origin": None, "sec_fetch_site": "same-site"},
    ],
)
async def test_a_page_of_another_site_signs_nobody_in_or_out(
    stage: KeyStage, method: str, fields: dict[str, str | None]
) -> None:
    key = await stage.add_key("laptop")
    cookie = await stage.sign_in(key)
    answer = await stage.ask(method, SIGN_IN, authorization=f"Bearer {key}", cookie=cookie, **fields)
    assert answer.status == 403
    assert (await stage.ask("GET", TOOLS, cookie=cookie)).status == 200


@pytest.mark.parametrize("site", ["same-site", "cross-site", "something-new"])
async def test_the_cookie_says_nothing_where_a_page_of_another_site_asks(stage: KeyStage, site: str) -> None:
    """An image or a script has no Origin; another port of this host is the same site to SameSite."""
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    for target in (TOOLS, "/metrics"):
        answer = await stage.ask("GET", target, cookie=cookie, sec_fetch_site=site)
        assert error_of(answer) == (401, "unauthorized")


@pytest.mark.parametrize(
    "fields", [{"sec_fetch_site": "none"}, {"sec_fetch_site": "same-origin"}, {"origin": PAGE}, {}]
)
async def test_it_counts_in_a_page_of_ours_and_for_an_address_that_was_typed(
    stage: KeyStage, fields: dict[str, str]
) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    assert (await stage.ask("GET", TOOLS, cookie=cookie, **fields)).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9000"])
@pytest.mark.parametrize("path", DOCUMENT_PATHS)
async def test_the_documents_say_nothing_by_it_to_a_page_of_another_origin(
    stage: KeyStage, path: str, origin: str
) -> None:
    """Pages of any origin read them, with what needs no scope."""
    cookie = await stage.sign_in(await stage.add_key("laptop", scopes=["write"]))
    found = {}
    for name, fields in (("nobody", {}), ("foreign", {"origin": origin}), ("own", {"sec_fetch_site": "same-origin"})):
        shown = {} if name == "nobody" else {"cookie": cookie}
        found[name] = await stage.ask("GET", path, **shown, **fields)
    assert found["foreign"] == found["nobody"]
    assert dict(found["own"].headers)["Cache-Control"].startswith("private")


async def test_a_page_of_a_listed_origin_may_send_it_and_read_the_answer(
    stages: Callable[..., KeyStage],
) -> None:
    listed = "https://app.example.com"
    stage = stages(allowed_origins=listed)
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    for answer in (
        await stage.ask("GET", TOOLS, cookie=cookie, origin=listed, sec_fetch_site="same-site"),
        await stage.ask("OPTIONS", TOOLS, origin=listed),
        await stage.ask("GET", TOOLS, origin=listed),
    ):
        fields = dict(answer.headers)
        assert fields["Access-Control-Allow-Credentials"] == "true"
        assert fields["Access-Control-Allow-Origin"] == listed
    for other in (PAGE, None):
        assert "Access-Control-Allow-Credentials" not in dict((await stage.ask("GET", TOOLS, origin=other)).headers)
    documents = await stage.ask("GET", "/mcp.json", origin=listed)
    assert "Access-Control-Allow-Credentials" not in dict(documents.headers)  # with `*` no browser would take it


# --- where the cookie is kept ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "name"),
    [("https://tools.example.com", "__Host-mcp-app"), ("http://localhost:8000", "__Host-mcp-app-8000"),
     ("http://127.0.0.1:8000", "__Host-mcp-app-8000"), ("https://tools.example.com:8443", "__Host-mcp-app-8443")],
)  # fmt: skip
async def test_it_is_for_the_pages_own_host_and_port(stages: Callable[..., KeyStage], origin: str, name: str) -> None:
    stage = stages(public_url="https://tools.example.com")
    host = origin.partition("://")[2]
    key = await stage.add_key("laptop")
    answer = await stage.ask("POST", SIGN_IN, authorization=f"Bearer {key}", origin=origin, host=host)
    [text] = [value for field, value in answer.headers if field == "Set-Cookie"]
    assert text.startswith(f"{name}=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(text.split("; "))
    assert "Domain" not in text
    assert key not in text


async def test_those_of_other_servers_on_the_host_do_not_hide_it(stage: KeyStage) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    field = "; ".join([*(f"__Host-mcp-app-{port}={cookie[-92:]}x" for port in range(9000, 9100)), cookie])
    assert (await stage.ask("GET", TOOLS, cookie=field)).status == 200
    assert cookie_of(await stage.ask("DELETE", SIGN_IN, cookie=field, origin=PAGE)) == cookie.partition("=")[0] + "="
    assert error_of(await stage.ask("GET", TOOLS, cookie=field)) == (401, "unauthorized")


async def test_a_page_that_others_can_read_is_signed_in_to_by_nobody(stages: Callable[..., KeyStage]) -> None:
    stage = stages(public_url="http://tools.example.com")
    key = await stage.add_key("laptop")
    host = "tools.example.com"
    for origin in ("http://tools.example.com", None):
        answer = await stage.ask("POST", SIGN_IN, authorization=f"Bearer {key}", origin=origin, host=host)
        assert error_of(answer) == (400, "invalid_request")
    assert (await stage.ask("POST", SIGN_IN, authorization=f"Bearer {key}")).status == 204  # curl, on this machine


async def test_with_a_secret_it_outlives_the_process_and_without_one_it_does_not(
    stages: Callable[..., KeyStage],
) -> None:
    first, second = stages(secret=SECRET), stages(secret=SECRET)
    cookie = await first.sign_in(await first.add_key("laptop"))
    await second.keys.look()
    assert (await second.ask("GET", TOOLS, cookie=cookie)).status == 200
    other = stages(secret=None)
    await other.keys.look()
    assert error_of(await other.ask("GET", TOOLS, cookie=cookie)) == (401, "unauthorized")


# --- where there is nothing to sign in to ----------------------------------------------------------------------------


async def test_where_anybody_may_call_the_page_need_not_sign_in(stages: Callable[..., KeyStage]) -> None:
    stage = stages(allow_anonymous=True)
    assert said(await stage.ask("GET", SIGN_IN)) == NOBODY | {"asks": False}
    assert (await stage.ask("GET", TOOLS)).status == 200


async def test_without_keys_the_page_is_told_so() -> None:
    routes = PageSignInRoutes(Guard(Settings()), Authentication(Settings()))
    mine = Request("GET", SIGN_IN, access=ANONYMOUS)
    assert said(await routes.show(mine)) == {"caller": None, "asks": False, "by_key": False, "signed_in": False}
    hosts = Request("GET", SIGN_IN, access=Access("alice"))
    assert said(await routes.show(hosts))["caller"] == "alice"
    with pytest.raises(InvalidRequest, match="no API keys"):
        await routes.sign_in(Request("POST", SIGN_IN, headers={"authorization": "Bearer x"}))
    assert (await routes.sign_out(Request("DELETE", SIGN_IN))).status == 204


async def test_neither_key_nor_cookie_is_in_a_log_or_an_answer(
    stage: KeyStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = await stage.add_key("laptop")
    cookie = await stage.sign_in(key)
    answers = [
        await stage.ask("GET", SIGN_IN, cookie=cookie),
        await stage.ask("GET", "/nothing", cookie=cookie),
        await stage.ask("POST", SIGN_IN, authorization=f"Bearer {key}x", origin=PAGE),
        await stage.ask("DELETE", SIGN_IN, cookie=cookie, origin=PAGE),
    ]
    everything = caplog.text + "".join(str(answer) for answer in answers)
    assert key not in everything
    assert cookie.partition("=")[2] not in everything
