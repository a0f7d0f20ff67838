"""The world that the scan's tests scan: a zone and a site in perfect order, and the scan of them.

Imported by tests/builtin only; the fixtures that start the servers are in its conftest.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from authority import Authority
from dns_world import DnsWorld
from web_world import Page, Site

from mcp_app.builtin.scan_domain.report import Report, Step
from mcp_app.builtin.scan_domain.scan import scan
from mcp_app.builtin.scan_domain.settings import ScanSettings

DOMAIN = "site.test"

GOOD_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=()",
    "alt-svc": 'h3=":443"; ma=86400',
}

KEY = "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="
"""A DNSKEY of RFC 6605's own algorithm; nothing validates it here."""


@dataclass
class World:
    """Everything a scan meets. A test changes what it is about and calls `scan`."""

    dns: DnsWorld
    site: Site
    authority: Authority
    http_port: int
    https_port: int
    steps: list[Step] = field(default_factory=list)
    numbers: list[tuple[int, int]] = field(default_factory=list)

    def settings(self, **changed: Any) -> ScanSettings:
        values: dict[str, Any] = {
            "allow_networks": "127.0.0.1/32",
            "nameserver": f"127.0.0.1:{self.dns.port}",
            "ca_file": self.authority.root,
            "http_port": self.http_port,
            "https_port": self.https_port,
            "dns_seconds": 2.0,
            "fetch_seconds": 5.0,
            "step_seconds": 15.0,
        }
        return ScanSettings(**{**values, **changed})

    async def scan(self, domain: str = DOMAIN, **changed: Any) -> Report:
        async def on_step(step: Step, number: int, total: int) -> None:
            self.steps.append(step)
            self.numbers.append((number, total))

        return await scan(domain, self.settings(**changed), on_step)

    def https(self, path: str = "/", host: str = DOMAIN) -> str:
        return f"https://{host}:{self.https_port}{path}"

    def http(self, path: str = "/", host: str = DOMAIN) -> str:
        return f"http://{host}:{self.http_port}{path}"


def codes(report: Report) -> set[str]:
    return {each.code for each in report.findings}


def step_of(report: Report, name: str) -> Any:
    """The one step of that name."""
    (found,) = [step for step in report.steps if step.step == name]
    return found


def good_zone(dns: DnsWorld) -> None:
    dns.put(DOMAIN, "SOA", "ns1.site.test. admin.site.test. 1 7200 900 1209600 300")
    dns.put(DOMAIN, "NS", "ns1.site.test.", "ns2.site.test.")
    dns.put(DOMAIN, "A", "127.0.0.1")
    dns.put(DOMAIN, "MX", "10 mail.site.test.")
    dns.put(DOMAIN, "TXT", '"v=spf1 mx -all"', '"another text"')
    dns.put(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject; rua=mailto:dmarc@site.test"')
    dns.put(DOMAIN, "CAA", '0 issue "authority.test"')
    dns.put(DOMAIN, "DNSKEY", KEY)
    dns.put(DOMAIN, "DS", "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17")
    dns.authentic = True


def good_site(site: Site, https_port: int) -> None:
    expires = (datetime.now(UTC) + timedelta(days=200)).isoformat()
    site.put("http", "/", Page(301, {"location": f"https://{DOMAIN}:{https_port}/"}))
    site.put("https", "/", Page(200, GOOD_HEADERS, b"<!doctype html><title>Site</title>"))
    text = {"content-type": "text/plain; charset=utf-8"}
    json = {"content-type": "application/json"}
    site.put("https", "/robots.txt", Page(200, text, b"User-agent: *\nAllow: /\nSitemap: https://site.test/map.xml\n"))
    site.put("https", "/llms.txt", Page(200, text, b"# Site\n\n> What it is\n\n## Docs\n"))
    security = f"Contact: mailto:security@site.test\nExpires: {expires}\n".encode()
    site.put("https", "/.well-known/security.txt", Page(200, text, security))
    site.put("https", "/mcp.json", Page(200, json, b'{"name": "site", "endpoints": {"sse": "/sse"}}'))
    card = b'{"name": "test/site", "version": "1.0", "description": "A site"}'
    site.put("https", "/.well-known/mcp/server-card.json", Page(200, json, card))
    catalog = b'{"specVersion": "1.0", "entries": [{"identifier": "urn:air:x", "type": "t", "url": "https://x"}]}'
    site.put("https", "/.well-known/ai-catalog.json", Page(200, json, catalog))
