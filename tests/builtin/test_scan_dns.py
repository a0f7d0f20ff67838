"""The DNS step, against a DNS server that is wrong, odd, slow or silent."""

from __future__ import annotations

import time

import dns.rcode
import dns.resolver
import pytest
from dns.rdatatype import RdataType
from scan_world import DOMAIN, World, codes, step_of

from mcp_app.builtin.scan_domain.report import Report


def skipped(report: Report) -> set[str]:
    return {step.step for step in report.steps if step.status == "skipped"}


THE_OTHERS = {"tls", "http", "redirects", "headers", "files"}


async def test_a_name_that_does_not_exist_fails(quiet_world: World) -> None:
    report = await quiet_world.scan("nothing.elsewhere")

    assert (report.grade, report.score) == ("F", 0)
    assert report.verdict == "Failed. The name does not exist."
    assert [each.code for each in report.findings] == ["no_such_name"]
    assert skipped(report) == THE_OTHERS


async def test_a_name_without_addresses_fails(quiet_world: World) -> None:
    quiet_world.dns.put(DOMAIN, "A")

    report = await quiet_world.scan()

    assert report.grade == "F"
    assert "no_address" in codes(report)
    assert skipped(report) == THE_OTHERS


async def test_without_dns_nothing_is_known(quiet_world: World) -> None:
    quiet_world.dns.silent = True
    began = time.monotonic()

    report = await quiet_world.scan(dns_seconds=0.5)

    assert time.monotonic() - began < 10
    assert (report.grade, report.score) == ("unknown", None)
    assert [each.code for each in report.findings] == ["dns_no_answer"]
    assert skipped(report) == THE_OTHERS
    assert [number for number, _ in quiet_world.numbers] == [1, 2, 3, 4, 5, 6]


async def test_a_resolver_that_nobody_runs_is_as_none(quiet_world: World) -> None:
    await quiet_world.dns.stop()

    report = await quiet_world.scan(dns_seconds=0.5)

    assert report.grade == "unknown"
    assert codes(report) == {"dns_no_answer"}


async def test_a_host_without_resolver_reports_it(quiet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfigured(self: object, path: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", unconfigured)

    report = await quiet_world.scan(nameserver=None)

    assert report.grade == "unknown"
    assert report.findings[0].detail == "this host has no DNS resolver configured"


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_resolver_that_fails_is_no_answer(quiet_world: World, rcode: dns.rcode.Rcode) -> None:
    quiet_world.dns.rcode = rcode

    report = await quiet_world.scan(dns_seconds=0.5)

    assert report.grade == "unknown"
    assert codes(report) == {"dns_no_answer"}


async def test_garbage_for_answers_is_no_answer(quiet_world: World) -> None:
    quiet_world.dns.garbage = True

    report = await quiet_world.scan(dns_seconds=0.5)

    assert report.grade == "unknown"
    assert codes(report) == {"dns_no_answer"}


async def test_one_question_without_answer_hides_no_other(world: World) -> None:
    world.dns.fails[DOMAIN, RdataType.MX] = dns.rcode.SERVFAIL
    world.dns.fails[DOMAIN, RdataType.AAAA] = dns.rcode.SERVFAIL

    report = await world.scan(dns_seconds=0.5)

    failed = [each.detail for each in report.findings if each.code == "query_failed"]
    assert {detail.partition(":")[0] for detail in failed if detail} == {"MX", "AAAA"}
    assert "mx_missing" not in codes(report)
    assert step_of(report, "http").status == "ok"
    assert report.grade == "A"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ([], "spf_missing"),
        (['"v=spf1 -all"', '"v=spf1 mx -all"'], "spf_many"),
        (['"v=spf1 +all"'], "spf_open"),
        (['"v=spf1 mx all"'], "spf_open"),
        (['"v=spf10 -all"'], "spf_missing"),
        (['"v=spf1 include:_spf.site.test ~all"'], "spf_ok"),
        (['"v=spf1 inc" "lude:x ~all"'], "spf_ok"),
        (['"v=spf1"'], "spf_ok"),
    ],
)
async def test_spf_is_read_from_txt(quiet_world: World, text: list[str], expected: str) -> None:
    quiet_world.dns.put(DOMAIN, "TXT", *text)

    found = codes(await quiet_world.scan())

    assert {code for code in found if code.startswith("spf_")} == {expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ([], "dmarc_missing"),
        (['"v=DMARC1; p=none"'], "dmarc_none"),
        (['"v=DMARC1;p=quarantine"'], "dmarc_ok"),
        (['"v=DMARC1; p=reject"', '"v=DMARC1; p=none"'], "dmarc_many"),
        (['"v=DMARC1; sp=reject"'], "dmarc_invalid"),
        (['"v=DMARC1"'], "dmarc_invalid"),
        (['"p=reject; v=DMARC1"'], "dmarc_missing"),
        (['"unrelated"', '"v = DMARC1 ; p = reject"'], "dmarc_ok"),
    ],
)
async def test_dmarc_is_read_from_txt(quiet_world: World, text: list[str], expected: str) -> None:
    quiet_world.dns.put(f"_dmarc.{DOMAIN}", "TXT", *text)

    found = codes(await quiet_world.scan())

    assert {code for code in found if code.startswith("dmarc_")} == {expected}


@pytest.mark.parametrize(
    ("ds", "dnskey", "expected"),
    [
        (True, True, "dnssec_ok"),
        (True, False, "dnssec_broken"),
        (False, True, "dnssec_no_ds"),
        (False, False, "dnssec_missing"),
    ],
)
async def test_dnssec_is_told_from_ds_and_dnskey(quiet_world: World, ds: bool, dnskey: bool, expected: str) -> None:
    quiet_world.dns.authentic = False
    if not ds:
        quiet_world.dns.put(DOMAIN, "DS")
    if not dnskey:
        quiet_world.dns.put(DOMAIN, "DNSKEY")

    report = await quiet_world.scan()

    assert {code for code in codes(report) if code.startswith("dnssec_")} == {expected}
    assert step_of(report, "dns").dnssec.model_dump() == {"validated": False, "ds": ds, "dnskey": dnskey}


async def test_a_name_inside_a_zone_is_judged_with_its_zone(quiet_world: World) -> None:
    quiet_world.dns.put(f"www.{DOMAIN}", "A", "127.0.0.1")

    report = await quiet_world.scan(f"www.{DOMAIN}")

    step = step_of(report, "dns")
    assert step.zone == DOMAIN
    assert step.dmarc is not None, "the zone's DMARC record holds for its names"
    assert {"dnssec_ok", "dmarc_ok", "mx_missing", "spf_missing"} <= codes(report)
    assert "caa_missing" not in codes(report), "CAA is inherited (RFC 8659, 3)"
    assert {record.name for record in step.records if record.type == "NS"} == {DOMAIN}


async def test_no_caa_and_one_name_server_are_found(quiet_world: World) -> None:
    quiet_world.dns.put(DOMAIN, "CAA")
    quiet_world.dns.put(DOMAIN, "NS", "ns1.site.test.")

    assert {"caa_missing", "single_nameserver"} <= codes(await quiet_world.scan())


async def test_aliases_are_followed_and_shown(world: World) -> None:
    world.dns.put("alias.test", "CNAME", "middle.test.")
    world.dns.put("middle.test", "CNAME", f"{DOMAIN}.")

    step = step_of(await world.scan("alias.test"), "dns")

    shown = [(record.name, record.type, record.value) for record in step.records]
    assert shown.count(("alias.test", "CNAME", "middle.test.")) == 1
    assert ("middle.test", "CNAME", f"{DOMAIN}.") in shown
    assert (DOMAIN, "A", "127.0.0.1") in shown


async def test_an_alias_of_itself_ends(quiet_world: World) -> None:
    quiet_world.dns.put("loop.test", "CNAME", "loop.test.")

    report = await quiet_world.scan("loop.test", dns_seconds=0.5)

    assert report.grade in ("F", "unknown")
    assert skipped(report) == THE_OTHERS


async def test_a_large_answer_comes_over_tcp_and_is_cut(quiet_world: World) -> None:
    quiet_world.dns.put(DOMAIN, "TXT", *(f'"text {number:03} {"x" * 200}"' for number in range(200)))

    step = step_of(await quiet_world.scan(), "dns")

    assert quiet_world.dns.asked_by_tcp[DOMAIN, "TXT"] == 1
    assert sum(record.type == "TXT" for record in step.records) == 20 + 1  # and DMARC's
    assert len(step.model_dump_json()) < 32 * 1024


async def test_what_a_record_says_stays_on_one_line(quiet_world: World) -> None:
    quiet_world.dns.put(
        DOMAIN, "TXT", '"v=spf1 \\010\\027[31m\\000 -all"', f'"{"y" * 250}" "{"y" * 250}" "{"y" * 250}"'
    )

    report = await quiet_world.scan()

    step = step_of(report, "dns")
    assert step.spf == "v=spf1 \ufffd\ufffd[31m\ufffd -all"
    assert all(record.value.isprintable() and len(record.value) <= 400 for record in step.records)


async def test_a_long_name_leaves_no_room_for_dmarc(quiet_world: World) -> None:
    name = ".".join(["a" * 60] * 4) + ".abcde"
    assert len(name) == 249
    quiet_world.dns.put(name, "A", "127.0.0.1")

    report = await quiet_world.scan(name)

    assert step_of(report, "dns").status != "skipped"
    assert "step_crashed" not in codes(report)
    assert "addresses" in codes(report)


async def test_a_server_that_denies_the_name_for_one_type_only_is_believed_for_the_other(world: World) -> None:
    world.dns.fails[DOMAIN, RdataType.AAAA] = dns.rcode.NXDOMAIN

    report = await world.scan()

    assert report.grade == "A"
    assert "no_such_name" not in codes(report)
