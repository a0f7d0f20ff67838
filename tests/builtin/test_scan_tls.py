"""The TLS step, against certificates and servers that are wrong in each way."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, Pair
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from scan_world import DOMAIN, World, codes, good_site, step_of
from web_world import Adjust, Behaviour, answers, bare, hypercorn, listening, says_nothing

from mcp_app.builtin.scan_domain.report import Report
from mcp_app.builtin.scan_domain.steps.x509_facts import expires_soon, matches

DAY = timedelta(days=1)


async def scanned(world: World, pair: Pair, **changed: Any) -> Report:
    """The site in perfect order but for its certificate."""
    good_site(world.site, world.https_port)
    bound = listening("127.0.0.1", world.https_port)
    async with hypercorn(world.site, pair, bound):
        return await world.scan(**changed)


@asynccontextmanager
async def served(
    world: World, behave: Behaviour, pair: Pair | None = None, adjust: Adjust | None = None
) -> AsyncIterator[None]:
    bound = listening("127.0.0.1", world.https_port)
    async with bare(behave, bound, pair, adjust):
        yield


def certificate_codes(report: Report) -> set[str]:
    return {code for code in codes(report) if code.startswith("certificate_")}


async def test_an_expired_certificate_is_described(quiet_world: World) -> None:
    pair = quiet_world.authority.issue(DOMAIN, begins=-90 * DAY, ends=-3 * DAY)

    report = await scanned(quiet_world, pair)

    assert report.grade == "F"
    assert certificate_codes(report) == {"certificate_expired"}
    tls = step_of(report, "tls")
    assert (tls.valid, tls.protocol, tls.status) == (False, "TLSv1.3", "fail")
    assert tls.days_left in (-3, -4)
    assert tls.chain[0].names == [DOMAIN]
    (expired,) = [each for each in report.findings if each.code == "certificate_expired"]
    assert expired.detail == f"on {datetime.now(UTC) - 3 * DAY:%Y-%m-%d}"
    assert report.findings[0].code == "certificate_expired"


async def test_an_invalid_certificate_does_not_end_the_other_steps(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue(DOMAIN, ends=-3 * DAY))

    assert step_of(report, "http").versions == ["HTTP/1.1", "HTTP/2"]
    assert step_of(report, "headers").status == "ok"
    assert sum(each.present for each in step_of(report, "files").files) == 6


async def test_a_certificate_of_the_future(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue(DOMAIN, begins=DAY))

    assert certificate_codes(report) == {"certificate_not_yet_valid"}


async def test_a_certificate_for_another_name(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue("other.test", "*.other.test"))

    assert certificate_codes(report) == {"certificate_wrong_name"}
    (wrong,) = [each for each in report.findings if each.code == "certificate_wrong_name"]
    assert wrong.detail == "it is for other.test, *.other.test"


async def test_a_certificate_without_names(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue())

    assert certificate_codes(report) == {"certificate_wrong_name"}


async def test_a_self_signed_certificate(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue(DOMAIN, self_signed=True))

    assert certificate_codes(report) == {"certificate_self_signed"}
    assert len(step_of(report, "tls").chain) == 1


async def test_everything_wrong_at_once_is_all_told(quiet_world: World) -> None:
    pair = quiet_world.authority.issue("other.test", begins=-20 * DAY, ends=-DAY, self_signed=True)

    report = await scanned(quiet_world, pair)

    assert certificate_codes(report) == {
        "certificate_expired",
        "certificate_wrong_name",
        "certificate_self_signed",
    }


async def test_an_authority_nobody_knows(quiet_world: World, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger")

    report = await scanned(quiet_world, stranger.issue(DOMAIN))

    assert certificate_codes(report) == {"certificate_untrusted"}
    assert report.grade == "F"


async def test_without_the_setting_the_tests_authority_is_a_stranger(quiet_world: World, pair: Pair) -> None:
    report = await scanned(quiet_world, pair, ca_file=None)

    assert certificate_codes(report) == {"certificate_untrusted"}


async def test_a_certificate_that_expires_soon(quiet_world: World) -> None:
    report = await scanned(quiet_world, quiet_world.authority.issue(DOMAIN, begins=-60 * DAY, ends=10 * DAY + DAY / 2))

    assert certificate_codes(report) == {"certificate_ok", "certificate_expires_soon"}
    assert step_of(report, "tls").status == "warn"
    assert step_of(report, "tls").days_left == 10


@pytest.mark.parametrize(
    ("begins", "ends", "soon"),
    [(-76, 14.1, False), (-76, 13.9, True), (-3, 3, False), (-4.1, 1.9, True), (-5, 1, True)],
)
def test_soon_is_two_weeks_or_a_third_of_the_lifetime(
    authority: Authority, begins: float, ends: float, soon: bool
) -> None:
    pair = authority.issue(DOMAIN, begins=begins * DAY, ends=ends * DAY)
    certificate = x509.load_pem_x509_certificate(pair.chain.read_bytes())

    assert expires_soon(certificate, datetime.now(UTC)) is soon


@pytest.mark.parametrize(
    ("name", "domain", "match"),
    [
        ("site.test", "site.test", True),
        ("SITE.test", "site.test", True),
        ("*.site.test", "www.site.test", True),
        ("*.site.test", "site.test", False),
        ("*.site.test", "a.b.site.test", False),
        ("w*.site.test", "www.site.test", False),
        ("*", "site.test", False),
        ("*.test", "site.test", True),
        ("xsite.test", "site.test", False),
    ],
)
def test_names_match_as_rfc_9525_says(authority: Authority, name: str, domain: str, match: bool) -> None:
    certificate = x509.load_pem_x509_certificate(authority.issue(name).chain.read_bytes())

    assert matches(certificate, domain) is match


def only(version: ssl.TLSVersion, ciphers: str) -> Adjust:
    """A server of one protocol version."""

    def adjust(context: ssl.SSLContext) -> None:
        context.set_ciphers(ciphers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is what the test is about
            context.minimum_version = context.maximum_version = version

    return adjust


async def test_only_tls_1_2_with_an_old_cipher(quiet_world: World) -> None:
    pair = quiet_world.authority.issue(DOMAIN, key=rsa.generate_private_key(65537, 2048))
    async with served(quiet_world, answers, pair, only(ssl.TLSVersion.TLSv1_2, "AES128-SHA")):
        report = await quiet_world.scan()

    tls = step_of(report, "tls")
    assert (tls.protocol, tls.cipher, tls.alpn) == ("TLSv1.2", "AES128-SHA", None)
    assert tls.chain[0].key == "RSA 2048"
    assert {"protocol_not_newest", "cipher_weak", "http2_missing"} <= codes(report)


async def test_only_tls_1_1_is_described_though_browsers_refuse_it(quiet_world: World, pair: Pair) -> None:
    async with served(quiet_world, answers, pair, only(ssl.TLSVersion.TLSv1_1, "DEFAULT@SECLEVEL=0")):
        report = await quiet_world.scan()

    tls = step_of(report, "tls")
    assert (tls.protocol, tls.valid, tls.status) == ("TLSv1.1", True, "fail")
    assert "protocol_old" in codes(report)
    assert step_of(report, "http").versions == ["HTTP/1.1"]


async def test_a_key_that_is_too_short(quiet_world: World) -> None:
    pair = quiet_world.authority.issue(DOMAIN, key=rsa.generate_private_key(65537, 1024))
    async with served(quiet_world, answers, pair, lambda context: context.set_ciphers("DEFAULT@SECLEVEL=0")):
        report = await quiet_world.scan()

    assert "key_weak" in codes(report)
    assert step_of(report, "tls").chain[0].key == "RSA 1024"


async def test_nothing_listens(quiet_world: World) -> None:
    report = await quiet_world.scan()

    assert report.grade == "F"
    assert {"tls_unreachable", "https_unreachable", "http_closed", "headers_unreachable", "files_unreachable"} <= codes(
        report
    )
    assert report.score == 39, "no TLS is no HTTPS: it costs once"
    assert step_of(report, "tls").summary.endswith("refused the connection or cannot be reached")


async def test_a_server_that_speaks_no_tls(quiet_world: World) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with served(quiet_world, plain):
        report = await quiet_world.scan()

    assert {"tls_unreachable", "https_unreachable"} <= codes(report)
    assert step_of(report, "tls").summary == "the TLS handshake failed; is this a TLS server?"


async def test_a_server_that_says_nothing(quiet_world: World) -> None:
    async with served(quiet_world, says_nothing):
        report = await quiet_world.scan(fetch_seconds=0.5, step_seconds=5)

    assert {"tls_unreachable", "https_unreachable"} <= codes(report)
    assert step_of(report, "tls").summary == "the TLS handshake did not end in time"


async def test_a_server_that_hangs_up(quiet_world: World) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with served(quiet_world, hangs_up):
        report = await quiet_world.scan()

    assert {"tls_unreachable", "https_unreachable"} <= codes(report)
    assert "step_crashed" not in codes(report)
