"""Who may ask at all: Host, Origin, Sec-Fetch-Site and CORS, on every route and before anything else."""

from __future__ import annotations

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_wire import headers, refused, stream

from mcp_app.manifest import CORS, DOCUMENT_PATHS
from mcp_app.web.guard import MAX_ASKED_FIELDS
from mcp_app.web.messages import Request

LISTED = "https://app.example.com"
ROUTES = ("/", "/healthz", "/metrics", "/mcp.json", "/nothing", EVENTS, RUNS, f"{RUNS}/x", f"{RUNS}/x/events")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8443", "localhost", "LOCALHOST:1", "localhost:", "[::1]", "[::1]:8443", "127.8.9.10",
     "localhost.", "[::ffff:127.0.0.1]:8000", "[0:0::1]"],
)  # fmt: skip
async def test_loopback_by_any_of_its_names_is_answered(direct: Direct, host: str) -> None:
    assert (await direct.get("/metrics", host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        None, "", "example.com", "127.0.0.1.example.com", "localhost.example.com", "foo.localhost", "0.0.0.0",
        "10.0.0.1", "[::2]", "::1", "127.1", "2130706433", "localhost:99999", "localhost:x", "localhost:80:80",
        "localhost@example.com", "example.com@localhost", "@localhost", "localhost/", "localhost/x", "localhost?x",
        "localhost#x", "localhost, example.com", "local\thost", " localhost", "localhost\\@example.com", "[::1",
        "[localhost]", "localhost..", ".", "[::ffff:10.0.0.1]", "\uff4cocalhost", "127.0.0.1\x00", "localhost" * 2000,
    ],
)  # fmt: skip
async def test_every_other_host_is_refused(direct: Direct, host: str | None) -> None:
    refused(await direct.get("/metrics", host=host), 421, "host_not_allowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/"])
@pytest.mark.parametrize("host", [None, "", "10.244.0.5:8000", "evil.example", "http://[", "\x00"])
async def test_health_is_answered_whatever_the_host(direct: Direct, path: str, host: str | None) -> None:
    for method in ("GET", "HEAD"):
        assert (await direct.ask(method, path, host=host)).status == 200
    refused(await direct.get(path, host=host, origin="http://other.example"), 403, "origin_not_allowed")


async def test_listed_hosts_are_answered_beside_the_public_one_and_no_other(make: Make) -> None:
    direct = make(
        public_url="https://tools.example.com",
        allow_anonymous=True,
        allowed_hosts="mcp:8000, Tools.Internal ,10.0.0.7,[FD00:0::7],last.example.,",
    )
    for host in ("mcp:8000", "MCP.:8000", "tools.internal", "tools.internal:9", "10.0.0.7:80", "[fd00::7]:8443",
                 "last.example", "tools.example.com", "localhost"):  # fmt: skip
        assert (await direct.get("/metrics", host=host)).status == 200, host
    for host in ("mcp", "mcp:8001", "x.tools.internal", "tools.internal.example", "10.0.0.8", "[fd00::8]", "*"):
        refused(await direct.get("/metrics", host=host), 421, "host_not_allowed")


async def test_pages_of_a_listed_host_may_call_also_behind_a_proxy_that_ends_tls(make: Make) -> None:
    direct = make(allowed_hosts="tools.internal, mcp:8000")
    for host, origin in (
        ("tools.internal", "https://tools.internal"),
        ("tools.internal:8443", "https://tools.internal:8443"),
        ("tools.internal", "http://tools.internal"),
        ("mcp:8000", "https://mcp:8000"),
    ):
        assert (await direct.get("/metrics", host=host, origin=origin)).status == 200
    for host, origin in (
        ("tools.internal", "https://mcp:8000"),
        ("tools.internal", "https://tools.internal:8443"),
        ("localhost:8000", "https://localhost:8000"),
        ("mcp:8000", "ftp://mcp:8000"),
    ):
        refused(await direct.get("/metrics", host=host, origin=origin), 403, "origin_not_allowed")


async def test_the_public_urls_host_is_answered_whatever_the_port_and_others_are_not(make: Make) -> None:
    direct = make(public_url="https://Tools.Example.com/below", allow_anonymous=True)
    for host in ("tools.example.com", "TOOLS.example.com:443", "localhost:8000"):
        assert (await direct.get("/metrics", host=host)).status == 200
    for host in ("example.com", "tools.example.com.evil.example", "tools.example.com@evil.example"):
        refused(await direct.get("/metrics", host=host), 421, "host_not_allowed")


@pytest.mark.parametrize("path", [path for path in ROUTES if path != "/healthz"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "FOO"])
async def test_a_wrong_host_is_refused_on_every_route_and_method(direct: Direct, path: str, method: str) -> None:
    answer = await direct.ask(method, path, host="evil.example")
    assert answer.status == 421
    assert headers(answer.headers)["vary"] == "Accept"


@pytest.mark.parametrize("path", [path for path in ROUTES if path not in DOCUMENT_PATHS])
@pytest.mark.parametrize(
    "origin", ["null", "", "https://evil.example", "http://127.0.0.1:9", "https://127.0.0.1:8000", "http://localhost"]
)
async def test_a_foreign_origin_is_refused_on_every_route_but_the_open_ones(
    direct: Direct, path: str, origin: str
) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await direct.ask(method, path, origin=origin, host="127.0.0.1:8000")
        refused(answer, 403, "origin_not_allowed")
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https", "localhost:8443", "https://localhost:8443"),
        ("https", "localhost", "https://localhost:443"),
        ("http", "localhost:80", "http://LOCALHOST"),
        ("http", "[::1]:8000", "http://[::1]:8000"),
    ],
)
async def test_the_servers_own_origin_is_taken(direct: Direct, scheme: str, host: str, origin: str) -> None:
    answer = await direct.ask("GET", "/healthz", scheme=scheme, host=host, origin=origin)
    assert answer.status == 200


async def test_behind_a_proxy_that_ends_tls_the_public_origin_is_taken(make: Make) -> None:
    direct = make(public_url="https://tools.example.com", allow_anonymous=True)
    answer = await direct.get("/healthz", host="tools.example.com", origin="https://tools.example.com")
    assert answer.status == 200


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com:444", "http://app.example.com", "https://u@app.example.com", "https://app.example.com/",
     "https://app.example.com?x", "https://xapp.example.com", "https://app.example.com, https://evil.example",
     "https://app.exam\tple.com"],
)  # fmt: skip
async def test_a_listed_origin_is_taken_exactly(make: Make, origin: str) -> None:
    direct = make(allowed_origins=LISTED)
    refused(await direct.get("/healthz", origin=origin), 403, "origin_not_allowed")


async def test_a_listed_origin_may_call_and_read(make: Make) -> None:
    direct = make(allowed_origins=f"https://other.example, {LISTED}")
    answer = await direct.post(EVENTS, {"tool": "echo"}, origin=LISTED, sec_fetch_site="cross-site")
    fields = headers(answer.headers)
    assert fields["access-control-allow-origin"] == LISTED
    assert {"Location", "Retry-After"} <= set(fields["access-control-expose-headers"].split(", "))
    assert fields["vary"] == "Accept, Origin"
    assert (await stream(answer)).kinds == ["started", "complete"]


async def test_a_refusal_can_be_read_by_a_listed_origin(make: Make) -> None:
    direct = make(allowed_origins=LISTED)
    answer = await direct.post(EVENTS, b"{", origin=LISTED)
    refused(answer, 400, "invalid_request")
    assert headers(answer.headers)["access-control-allow-origin"] == LISTED


async def test_preflight_of_a_listed_origin_names_methods_and_headers(make: Make) -> None:
    direct = make(allowed_origins=LISTED)
    answer = await direct.ask(
        "OPTIONS", EVENTS, origin=LISTED, access_control_request_method="POST",
        access_control_request_headers="content-type,last-event-id",
    )  # fmt: skip
    fields = headers(answer.headers)
    assert answer.status == 204
    assert answer.body == b""
    assert fields["access-control-allow-origin"] == LISTED
    assert {"GET", "POST", "DELETE"} <= set(fields["access-control-allow-methods"].split(", "))
    assert {"Content-Type", "Last-Event-ID"} <= set(fields["access-control-allow-headers"].split(", "))
    assert direct.play.calls == 0


async def test_pages_of_a_listed_origin_may_send_and_read_the_fields_of_mcp(make: Make) -> None:
    direct = make(allowed_origins=LISTED)
    asked = "mcp-session-id,mcp-param-region, mcp-param-x y,x-other"
    answer = await direct.ask("OPTIONS", "/mcp", origin=LISTED, access_control_request_headers=asked)
    allowed = headers(answer.headers)["access-control-allow-headers"].split(", ")
    assert {"Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "mcp-param-region"} <= set(allowed)
    assert not {"mcp-param-x y", "y"} & set(allowed)
    answer = await direct.get("/mcp", origin=LISTED)
    assert "Mcp-Session-Id" in headers(answer.headers)["access-control-expose-headers"].split(", ")


@pytest.mark.parametrize("path", [EVENTS, RUNS, f"{RUNS}/x/events", "/mcp", "/healthz", "/mcp.json"])
async def test_a_listed_origin_may_send_what_it_asks_for(make: Make, path: str) -> None:
    direct = make(allowed_origins=LISTED)
    names = ["authorization", "traceparent", "tracestate", "baggage", "x-api-key", "x-requested-with", "range"]
    for asked in (",".join(names), " ,\t" + ", ".join(names).upper()):
        answer = await direct.ask("OPTIONS", path, origin=LISTED, access_control_request_headers=asked)
        allowed = headers(answer.headers)["access-control-allow-headers"].lower().split(", ")
        assert {*names, "content-type"} <= set(allowed)
    other = await direct.ask("OPTIONS", path, access_control_request_headers="x-api-key")
    assert "x-api-key" not in str(other.headers)


@pytest.mark.parametrize(
    "asked", ["*", "a b", "a:b", "a\r\nX-Evil: 1", "a\nb", "\xe4", "a;b", '"a"', "", ",,", "(a)", "a" * 101]
)
async def test_what_is_no_field_name_is_not_sent_back(make: Make, asked: str) -> None:
    direct = make(allowed_origins=LISTED)
    plain = await direct.ask("OPTIONS", EVENTS, origin=LISTED)
    answer = await direct.ask("OPTIONS", EVENTS, origin=LISTED, access_control_request_headers=asked)
    assert answer.headers == plain.headers
    more = await direct.ask("OPTIONS", EVENTS, origin=LISTED, access_control_request_headers=f"{asked},x-1")
    assert headers(more.headers)["access-control-allow-headers"].endswith("Mcp-Session-Id, x-1")


async def test_a_preflight_is_no_mirror(make: Make) -> None:
    direct = make(allowed_origins=LISTED)
    asked = ",".join(f"x-{number}" for number in range(10_000))
    answer = await direct.ask("OPTIONS", EVENTS, origin=LISTED, access_control_request_headers=asked)
    names = headers(answer.headers)["access-control-allow-headers"].split(", ")
    assert names[-1] == f"x-{MAX_ASKED_FIELDS - 1}"


async def test_an_extensions_origin_can_be_listed(make: Make) -> None:
    direct = make(allowed_origins="chrome-extension://abcdefgh")
    assert (await direct.get("/healthz", origin="chrome-extension://abcdefgh")).status == 200
    refused(await direct.get("/healthz", origin="chrome-extension://other"), 403, "origin_not_allowed")


@pytest.mark.parametrize("path", [EVENTS, RUNS, f"{RUNS}/x/events", "/", "/healthz"])
@pytest.mark.parametrize("settings", [{}, {"allowed_origins": LISTED}])
async def test_cors_is_never_a_wildcard_where_a_run_can_start(make: Make, path: str, settings: dict[str, str]) -> None:
    direct = make(**settings)
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        for origin in (None, LISTED, "https://evil.example"):
            fields = headers((await direct.ask(method, path, origin=origin)).headers)
            assert "*" not in fields.get("access-control-allow-origin", "")
            assert "access-control-allow-credentials" not in fields
            if not settings or origin != LISTED:
                assert "access-control-allow-origin" not in fields


@pytest.mark.parametrize("path", DOCUMENT_PATHS)
@pytest.mark.parametrize("settings", [{}, {"allowed_origins": LISTED}])
@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", LISTED])
async def test_discovery_documents_are_open_to_pages_of_every_origin(
    make: Make, path: str, settings: dict[str, str], origin: str | None
) -> None:
    direct = make(**settings)
    got = await direct.get(path, origin=origin, sec_fetch_site="cross-site")
    assert got.status == 200
    assert [value for name, value in got.headers if name == "Access-Control-Allow-Origin"] == ["*"]
    preflight = await direct.ask("OPTIONS", path, origin=origin, access_control_request_method="GET")
    assert preflight.status == 204
    assert set(CORS) <= set(preflight.headers)
    assert [value for name, value in preflight.headers if name == "Access-Control-Allow-Origin"] == ["*"]
    refused(await direct.get(path, origin=origin, host="evil.example"), 421, "host_not_allowed")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
async def test_a_page_of_another_site_starts_no_run(direct: Direct, site: str) -> None:
    for answer in (
        await direct.get(f"{EVENTS}?tool=echo", sec_fetch_site=site),
        await direct.post(EVENTS, {"tool": "echo"}, sec_fetch_site=site),
        await direct.post(RUNS, {"tool": "echo"}, sec_fetch_site=site),
    ):
        refused(answer, 403, "cross_site_not_allowed")
    assert direct.play.calls == 0


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_a_page_of_ours_and_an_address_typed_in_start_a_run(direct: Direct, site: str) -> None:
    assert (await stream(await direct.get(f"{EVENTS}?tool=echo", sec_fetch_site=site))).kinds[-1] == "complete"


async def test_the_guard_comes_before_body_and_route(direct: Direct) -> None:
    refused(await direct.post("/nothing", b"\xff", host="evil.example", content_type=None), 421, "host_not_allowed")
    refused(await direct.post(EVENTS, b"\xff", origin="https://evil.example"), 403, "origin_not_allowed")


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "0.0.0.0"])
async def test_whoever_starts_the_server_it_serves_this_machine_only(make: Make, address: str) -> None:
    """Also under Hypercorn's own command, which knows nothing of --allow-anonymous."""
    request = Request("GET", "/healthz", headers={"host": "localhost"}, server=(address, 8000))
    refused(await make().endpoint.answer(request), 403, "anonymous_not_allowed")
    assert (await make(allow_anonymous=True).endpoint.answer(request)).status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1"])
async def test_this_machine_is_served(make: Make, address: str) -> None:
    request = Request("GET", "/healthz", headers={"host": "localhost"}, server=(address, 0))
    assert (await make().endpoint.answer(request)).status == 200
