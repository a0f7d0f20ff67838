"""The page where callers are asked who they are: signed out, signed in by a key, and out again; and other pages."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cut_proxy import proxying
from live_server import LiveServer, client_tls, serving
from page_tools import Stage, tools
from page_visitor import BY_ONE_DOOR, Visitor, foreign, phase, run
from playwright.async_api import Browser, Page, expect
from test_page_axe import violations

from mcp_app import Settings, create_app
from mcp_app.auth import keys as key_text
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

SECONDS = 20.0
FORM = "#sign-in-form:not([hidden])"


@dataclass
class Keyed:
    """A server that asks for keys, its tools' stage, and a key."""

    server: LiveServer
    stage: Stage
    file: KeyFile
    key: str

    async def revoke(self) -> None:
        """Revoke all keys, and wait until the server knows."""

        def change(records: dict[str, KeyRecord]) -> None:
            for id_, each in records.items():
                records[id_] = replace(each, revoked=int(time.time()), digest=b"")

        self.file.change(change)
        await self.answers(self.key, 401)

    async def add(self) -> str:
        """A new key, once the server knows it."""
        key = added(self.file, "second")
        await self.answers(key, 200)
        return key

    async def answers(self, key: str, status: int) -> None:
        """Wait until a request with the key is answered so: the server looks at its file every two seconds."""
        url, fields = f"{self.server.tls_url}/api/v1/mcp/tools", {"Authorization": f"Bearer {key}"}
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(verify=client_tls()) as client:
            while (await client.get(url, headers=fields)).status_code != status:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


def added(file: KeyFile, name: str) -> str:
    key = key_text.make(secrets.randbits)
    record = KeyRecord(key.id, name, key.digest, frozenset(), int(time.time()))
    file.change(lambda records: records.update({key.id: record}), create=True)
    return key.text


@pytest_asyncio.fixture(loop_scope="session")
async def keyed(lane: bool, tmp_path: Path) -> AsyncIterator[Keyed]:
    stage, file = Stage(), KeyFile(tmp_path / "keys.json")
    key = added(file, "laptop")
    async with serving(create_app(Settings(keys=file.path), tools(stage), lane=lane)) as server:
        yield Keyed(server, stage, file, key)


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")


async def test_who_is_signed_out_signs_in_by_a_key_calls_and_signs_out(keyed: Keyed, visitor: Visitor) -> None:
    page = await visitor.open(keyed.server.tls_url, until=FORM)
    await expect(page.get_by_label("API key")).to_be_focused()
    await expect(page.locator("#calling")).to_be_hidden()
    await sign_in(page, keyed.key + "x")
    await expect(page.get_by_role("alert").first).to_contain_text("This is no API key of this server")
    await expect(page.get_by_label("API key")).to_have_attribute("aria-invalid", "true")
    visitor.forgive("status of 401")
    await sign_in(page, keyed.key)
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    await expect(page.locator("#sign-in")).to_be_hidden()
    await expect(page.get_by_text("Signed in as laptop")).to_be_attached()
    await expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $KEY"')
    await run(page, "walk")
    keyed.stage.release(4)
    await phase(page, "done")
    await page.reload()
    await phase(page, "done")  # signed in still, and back at its run
    await page.evaluate("sessionStorage.setItem('other', 'kept')")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator(FORM)).to_be_visible()
    assert await page.evaluate("({ ...sessionStorage })") == {"other": "kept"}  # the host's, where tools are mounted
    assert "#" not in page.url
    assert await page.context.cookies() == []


async def test_no_script_can_read_the_key_or_what_stands_for_it(keyed: Keyed, visitor: Visitor) -> None:
    page = await visitor.open(keyed.server.tls_url, until=FORM)
    await sign_in(page, keyed.key)
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    held: str = await page.evaluate("""() => JSON.stringify([
      document.cookie, { ...localStorage }, { ...sessionStorage }, location.href, document.documentElement.outerHTML,
      [...document.querySelectorAll("input")].map((one) => one.value),
      performance.getEntriesByType("resource").map((one) => one.name),
    ])""")
    [cookie] = await page.context.cookies()
    assert keyed.key not in held
    assert cookie["value"] not in held
    assert cookie["name"].startswith("__Host-mcp-app")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")


async def test_by_plain_http_on_this_machine_it_works_as_well(keyed: Keyed, visitor: Visitor) -> None:
    page = await visitor.open(keyed.server.url, until=FORM)
    await sign_in(page, keyed.key)
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    await run(page, "change", amount="1")
    keyed.stage.release(4)
    await phase(page, "done")


@BY_ONE_DOOR
async def test_two_servers_on_one_machine_do_not_sign_each_other_out(
    keyed: Keyed, visitor: Visitor, lane: bool
) -> None:
    app = create_app(Settings(keys=keyed.file.path), tools(Stage()), lane=lane)
    async with serving(app) as other:
        page = await visitor.open(keyed.server.tls_url, until=FORM)
        await sign_in(page, keyed.key)
        await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
        await page.goto(other.tls_url)
        await sign_in(page, keyed.key)
        await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
        await page.goto(keyed.server.tls_url)
        await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")


@BY_ONE_DOOR
async def test_whose_key_is_revoked_signs_in_again_with_all_that_was_filled_in(keyed: Keyed, visitor: Visitor) -> None:
    page = await visitor.open(keyed.server.tls_url, until=FORM)
    await sign_in(page, keyed.key)
    await page.locator("#tool").select_option("walk")
    await page.locator('[data-name="count"] input').fill("2")
    await keyed.revoke()
    await page.locator("#start").click()
    await expect(page.locator(FORM)).to_be_visible()
    await expect(page.locator("#sign-in-reason")).to_be_visible()
    await sign_in(page, await keyed.add())
    await expect(page.get_by_text("Signed in as second")).to_be_attached()
    await expect(page.locator("#tool")).to_have_value("walk")
    await expect(page.locator('[data-name="count"] input')).to_have_value("2")
    keyed.stage.release(3)
    await page.locator("#start").click()
    await phase(page, "done")
    visitor.forgive("status of 401", "status of 404")


@BY_ONE_DOOR
async def test_a_run_whose_stream_ends_with_the_sign_in_is_come_back_to(keyed: Keyed, visitor: Visitor) -> None:
    """The key is revoked while it works: its run ends, and the page says why, and asks for another."""
    page = await visitor.open(keyed.server.tls_url, until=FORM)
    await sign_in(page, keyed.key)
    await run(page, "walk")
    keyed.stage.release(1)
    await expect(page.locator("#messages > li")).to_have_count(1)
    await keyed.revoke()
    await expect(page.locator(FORM)).to_be_visible()
    await expect(page.locator("#sign-in-reason")).not_to_be_empty()
    await phase(page, "failed")
    await sign_in(page, await keyed.add())
    await expect(page.locator("#sign-in")).to_be_hidden()
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    visitor.forgive("status of 401", "status of 404")


@BY_ONE_DOOR
async def test_a_browser_that_keeps_no_cookie_is_told_so(keyed: Keyed, visitor: Visitor) -> None:
    page = await visitor.open(keyed.server.tls_url, until=FORM)

    async def without_cookie(route: Any) -> None:
        answer = await route.fetch()
        fields = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        await page.context.clear_cookies()
        await route.fulfill(status=answer.status, headers=fields, body=b"")

    await page.route(
        "**/page/sign-in", lambda route: without_cookie(route) if route.request.method == "POST" else route.continue_()
    )
    await sign_in(page, keyed.key)
    await expect(page.get_by_role("alert").first).to_contain_text("this browser did not keep the sign-in")
    await expect(page.locator("#calling")).to_be_hidden()


@BY_ONE_DOOR
@pytest.mark.parametrize("key", ["", "  ", "mcpk_\u2026", "a b", "a\u200b"])
async def test_what_no_key_can_be_is_said_without_the_server(keyed: Keyed, visitor: Visitor, key: str) -> None:
    page = await visitor.open(keyed.server.tls_url, until=FORM)
    await sign_in(page, key)
    await expect(page.locator("#key-problem")).to_be_visible()


@BY_ONE_DOOR
async def test_where_keys_are_not_what_is_asked_for_the_page_says_so(visitor: Visitor, lane: bool) -> None:
    app = create_app(Settings(), tools(Stage()), lane=lane, verifiers=[lambda request: None])
    async with serving(app) as server:
        page = await visitor.open(server.tls_url, until="#sign-in-other:not([hidden])")
        await expect(page.locator("#sign-in-form")).to_be_hidden()
        await expect(page.locator("#calling")).to_be_hidden()
        await page.get_by_role("button", name="Connect a client").click()
        await expect(page.locator("#clients-list")).not_to_contain_text("KEY")


@BY_ONE_DOOR
async def test_where_anybody_may_call_who_has_a_key_can_sign_in(keyed: Keyed, visitor: Visitor, lane: bool) -> None:
    app = create_app(Settings(keys=keyed.file.path, allow_anonymous=True), tools(Stage()), lane=lane)
    async with serving(app) as server:
        page = await visitor.open(server.tls_url)
        await expect(page.locator("#sign-in")).to_be_hidden()
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await sign_in(page, keyed.key)
        await expect(page.get_by_text("Signed in as laptop")).to_be_attached()
        await expect(page.locator("#sign-in-open")).to_be_hidden()


@BY_ONE_DOOR
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_the_sign_in_fits_and_is_for_everybody_and_is_pictured(
    keyed: Keyed, visitor: Visitor, scheme: str, width: int, tmp_path: Path
) -> None:
    page = await visitor.open(
        keyed.server.tls_url, until=FORM, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    assert await violations(page) == {}
    await sign_in(page, "mcpk_wrong")
    await expect(page.locator("#key-problem")).to_be_visible()
    assert await violations(page) == {}
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture = tmp_path / f"sign-in-{scheme}-{width}.png"
    picture.write_bytes(await page.screenshot(full_page=True, animations="disabled"))
    assert picture.stat().st_size > 5_000
    await sign_in(page, keyed.key)
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await violations(page) == {}
    visitor.forgive("status of 401")


# --- pages of other origins ------------------------------------------------------------------------------------------

BY_TICKET = """async ([server, key, run]) => {
  const asked = await fetch(`${server}/api/v1/mcp/tickets`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ run }),
  });
  const { ticket } = await asked.json();
  const query = new URLSearchParams({ tool: "walk", run, access_ticket: ticket });
  window.seen = [];
  window.opened = 0;
  const events = new EventSource(`${server}/api/v1/mcp/sse?${query}`);
  events.onopen = () => (window.opened += 1);
  events.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    window.seen.push(event.type === "progress" ? event.data : event.type);
    if (event.type === "complete" || event.type === "error") events.close();
  };
}"""
WITH_COOKIE = """([url, method]) => fetch(url, { method, credentials: "include" })
  .then((answer) => answer.status, (error) => error.message)"""


async def test_an_event_source_of_another_origin_comes_back_with_its_ticket(
    keyed: Keyed, browser: Browser, lane: bool
) -> None:
    stage = Stage()
    async with foreign() as origin, await browser.new_page() as page:
        settings = Settings(keys=keyed.file.path, allowed_origins=origin)
        async with (
            serving(create_app(settings, tools(stage), lane=lane)) as other,
            proxying(other.port) as proxy,
        ):
            await page.goto(origin)
            await page.evaluate(BY_TICKET, [f"http://127.0.0.1:{proxy.port}", keyed.key, secrets.token_urlsafe(16)])
            stage.release(1)
            await page.wait_for_function("window.seen.length >= 2")
            proxy.cut()
            stage.release(3)
            await page.wait_for_function("window.seen.at(-1) === 'complete'")
            assert await page.evaluate("window.opened") == 2
            assert stage.begun == 1


@pytest.mark.parametrize("listed", [True, False])
async def test_only_a_page_of_a_listed_origin_calls_with_its_visitors_cookie(
    keyed: Keyed, visitor: Visitor, lane: bool, listed: bool
) -> None:
    """Another port of this machine: the same site, so that SameSite=Strict lets the cookie go along."""
    async with foreign() as origin:
        settings = Settings(keys=keyed.file.path, allowed_origins=origin if listed else ())
        async with serving(create_app(settings, tools(Stage()), lane=lane)) as other:
            page = await visitor.open(other.url, until=FORM)
            await sign_in(page, keyed.key)
            await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
            await page.goto(origin)
            for path, method in (("/api/v1/mcp/tools", "GET"), ("/page/sign-in", "DELETE")):
                answered = await page.evaluate(WITH_COOKIE, [f"{other.url}{path}", method])
                assert answered == ({"GET": 200, "DELETE": 204}[method] if listed else "Failed to fetch")
            await page.goto(other.url)
            await expect(page.locator(FORM if listed else "#start[aria-disabled=false]")).to_be_attached()
    visitor.forgive("blocked by CORS policy", "net::ERR_FAILED", "status of 403", "status of 404")
