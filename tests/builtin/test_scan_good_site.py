"""A site in perfect order, scanned from end to end."""

from __future__ import annotations

from scan_world import DOMAIN, World, codes, step_of

from mcp_app.builtin.scan_domain.report import Report


async def test_a_site_in_perfect_order_gets_an_a(world: World) -> None:
    report = await world.scan()

    # 127.0.0.1 has no IPv6 beside it: the one point that is lost.
    assert [each.code for each in report.findings if each.weight] == ["no_ipv6"]
    assert (report.grade, report.score, report.domain) == ("A", 99, DOMAIN)
    assert report.verdict == "In very good order."
    assert {step.step: step.status for step in report.steps} == {
        "dns": "ok",
        "tls": "ok",
        "http": "ok",
        "redirects": "ok",
        "headers": "ok",
        "files": "ok",
    }


async def test_every_step_is_handed_on_with_its_number(world: World) -> None:
    report = await world.scan()

    assert world.numbers == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    assert world.steps == report.steps
    assert Report.model_validate_json(report.model_dump_json()) == report


async def test_dns_tells_the_records_and_dnssec(world: World) -> None:
    dns = step_of(await world.scan(), "dns")

    assert dns.zone == DOMAIN
    assert {(record.type, record.value) for record in dns.records} >= {
        ("A", "127.0.0.1"),
        ("MX", "10 mail.site.test."),
        ("NS", "ns1.site.test."),
        ("TXT", '"v=spf1 mx -all"'),
        ("CAA", '0 issue "authority.test"'),
    }
    assert {record.type for record in dns.records} >= {"SOA", "DS", "DNSKEY"}
    assert (dns.dnssec.validated, dns.dnssec.ds, dns.dnssec.dnskey) == (True, True, True)
    assert dns.spf == "v=spf1 mx -all"
    assert dns.dmarc == "v=DMARC1; p=reject; rua=mailto:dmarc@site.test"


async def test_tls_tells_the_chain_as_presented(world: World) -> None:
    tls = step_of(await world.scan(), "tls")

    assert (tls.valid, tls.protocol, tls.alpn, tls.address) == (True, "TLSv1.3", "h2", "127.0.0.1")
    assert tls.cipher.startswith("TLS_")
    assert 58 <= tls.days_left <= 60
    leaf, root = tls.chain
    assert leaf.names == [DOMAIN, f"*.{DOMAIN}"]
    assert (leaf.subject, leaf.issuer, root.subject) == (f"CN={DOMAIN}", "CN=Test authority", "CN=Test authority")
    assert (leaf.key, leaf.signature_hash, len(leaf.sha256)) == ("EC 256", "sha256", 64)


async def test_http_versions_are_spoken_not_guessed(world: World) -> None:
    report = await world.scan()

    http = step_of(report, "http")
    assert http.versions == ["HTTP/1.1", "HTTP/2"]
    assert http.alt_svc == 'h3=":443"; ma=86400'
    assert "http3_advertised" in codes(report)
    assert {seen.version for seen in world.site.seen if seen.scheme == "https" and seen.path == "/"} == {"1.1", "2"}


async def test_redirects_list_each_hop(world: World) -> None:
    hops = step_of(await world.scan(), "redirects").hops

    assert [(hop.url, hop.status_code, hop.problem) for hop in hops] == [
        (world.http(), 301, None),
        (world.https(), 200, None),
    ]
    assert hops[0].location == world.https()


async def test_headers_are_shown_and_cookies_are_not(world: World) -> None:
    page = world.site.pages["https", "/"]
    assert isinstance(page.headers, dict)
    page.headers = {**page.headers, "set-cookie": "session=secret; Secure; HttpOnly; SameSite=Lax"}

    report = await world.scan()

    headers = step_of(report, "headers")
    assert "secret" not in report.model_dump_json()
    assert {header.name for header in headers.headers} >= {"strict-transport-security", "content-security-policy"}
    assert "cookie_unsafe" not in codes(report)


async def test_files_are_found_and_read(world: World) -> None:
    files = {each.path: each for each in step_of(await world.scan(), "files").files}

    assert {path for path, each in files.items() if each.present} == {
        "/robots.txt",
        "/llms.txt",
        "/.well-known/security.txt",
        "/mcp.json",
        "/.well-known/mcp/server-card.json",
        "/.well-known/ai-catalog.json",
    }
    assert all(each.valid for each in files.values() if each.present)
    assert files["/llms.txt"].fields == {"title": "Site", "sections": "1"}
    assert files["/.well-known/mcp/server-card.json"].fields["name"] == "test/site"


async def test_a_name_of_any_spelling_is_asked_for_as_one_host(world: World) -> None:
    await world.scan()

    assert {seen.host for seen in world.site.seen} == {f"{DOMAIN}:{world.http_port}", f"{DOMAIN}:{world.https_port}"}
    assert {seen.headers["user-agent"] for seen in world.site.seen} == {"mcp-app-scan-domain/1"}
    assert {seen.headers["accept-encoding"] for seen in world.site.seen} == {"identity"}
