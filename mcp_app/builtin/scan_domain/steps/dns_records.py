"""Step `dns`: the records of a name and of its zone, with DNSSEC if present.

Queries the resolver and connects to nothing else. SPF and DMARC are parsed in `mail_policy.py`.
"""

import asyncio
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
from dns.asyncresolver import Resolver
from dns.rdatatype import RdataType

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.finding import finding
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import DnsRecord, DnsStep
from mcp_app.builtin.scan_domain.scope import Scope
from mcp_app.builtin.scan_domain.steps.mail_policy import judge_mail

MAX_RECORDS = 20
"""Maximum records reported per type; a name may have thousands of TXT records."""

MAX_CLIMB = 8
"""Maximum parents queried for CAA; without it a name of a hundred labels causes a hundred queries."""

OF_THE_NAME = (RdataType.A, RdataType.AAAA, RdataType.MX, RdataType.TXT, RdataType.SOA)
OF_THE_ZONE = (RdataType.NS, RdataType.DS, RdataType.DNSKEY)


@dataclass
class Answer:
    """The answer to one query. `failed` means no answer at all, as opposed to no records."""

    records: list[DnsRecord] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Complete TXT records, their strings joined (RFC 7208, 3.3); `records` has them shortened for display."""
    zone: dns.name.Name | None = None
    """The zone of the answer's SOA record."""
    validated: bool = False
    no_such_name: bool = False
    failed: str | None = None


async def check_dns(step: DnsStep, scope: Scope) -> None:
    """Fill the step. Raises Unreachable when the system names no resolver."""
    resolver = outgoing.make_resolver(scope.settings.rules)
    name = dns.name.from_text(scope.domain)
    answers = dict(
        zip(OF_THE_NAME, await asyncio.gather(*(ask(resolver, name, kind) for kind in OF_THE_NAME)), strict=True)
    )
    _keep(step, answers)
    if not await _exists(step, scope, answers):
        return
    zone = answers[RdataType.SOA].zone or name
    step.zone = zone.to_text(omit_final_dot=True).lower()
    of_zone, caa, dmarc = await asyncio.gather(
        _ask_all(resolver, zone), _caa(resolver, name), _dmarc(resolver, name, zone)
    )
    _keep(step, {**of_zone, RdataType.CAA: caa, RdataType.TXT: dmarc})
    _judge_zone(step, of_zone, validated=answers[RdataType.A].validated or answers[RdataType.AAAA].validated)
    if not caa.records and caa.failed is None:
        step.add(finding("caa_missing"))
    judge_mail(
        step, _unless_failed(answers[RdataType.TXT]), _unless_failed(dmarc), has_mx=bool(answers[RdataType.MX].records)
    )
    if not answers[RdataType.MX].records and answers[RdataType.MX].failed is None:
        step.add(finding("mx_missing"))
    step.summary = f"{len(step.records)} records in zone {step.zone}"


async def ask(resolver: Resolver, name: dns.name.Name, kind: RdataType) -> Answer:
    """Make one query. Errors are returned in the answer, so that one failed query does not hide the other answers."""
    try:
        found = await resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return Answer(no_such_name=True)
    except (dns.exception.DNSException, OSError) as exc:
        return Answer(failed=outgoing.reason_of(exc))
    answer = Answer(validated=bool(found.response.flags & dns.flags.AD))
    for rrset in [*found.response.answer, *found.response.authority]:
        if rrset.rdtype == RdataType.SOA:
            answer.zone = rrset.name
    for rrset in found.response.answer:
        if rrset.rdtype not in (kind, RdataType.CNAME):
            continue  # signatures and other additional records
        for record in list(rrset)[:MAX_RECORDS]:
            answer.records.append(
                DnsRecord(
                    name=quoted(rrset.name.to_text(omit_final_dot=True)),
                    type=RdataType.to_text(rrset.rdtype),
                    ttl=rrset.ttl,
                    value=quoted(record.to_text()),
                )
            )
    if kind == RdataType.TXT and found.rrset is not None:
        answer.texts = [b"".join(record.strings).decode("utf-8", "replace") for record in found.rrset]
    return answer


async def _ask_all(resolver: Resolver, zone: dns.name.Name) -> dict[RdataType, Answer]:
    answers = await asyncio.gather(*(ask(resolver, zone, kind) for kind in OF_THE_ZONE))
    return dict(zip(OF_THE_ZONE, answers, strict=True))


async def _caa(resolver: Resolver, name: dns.name.Name) -> Answer:
    """The CAA records that apply to a name: its own or those of the nearest parent with any (RFC 8659, 3)."""
    answer = Answer()
    for _ in range(MAX_CLIMB):
        if len(name) <= 2:  # the root is a label of its own, and top-level domains publish none
            break
        answer = await ask(resolver, name, RdataType.CAA)
        if answer.failed or any(record.type == "CAA" for record in answer.records):
            return answer
        name = name.parent()
    return Answer(failed=answer.failed)


async def _dmarc(resolver: Resolver, name: dns.name.Name, zone: dns.name.Name) -> Answer:
    """The DMARC record of the name, else of its zone, which stands for the organizational domain (RFC 7489, 6.6.3)."""
    answer = Answer()
    for each in dict.fromkeys((name, zone)):
        try:
            answer = await ask(resolver, dns.name.from_text("_dmarc", each), RdataType.TXT)
        except dns.name.NameTooLong:
            continue
        if answer.texts or answer.failed:
            return answer
    return answer


def _keep(step: DnsStep, answers: dict[RdataType, Answer]) -> None:
    """Add the records, each once: a CNAME comes with every answer."""
    seen = {(record.name, record.type, record.value) for record in step.records}
    for kind, answer in answers.items():
        for record in answer.records:
            if (key := (record.name, record.type, record.value)) not in seen:
                seen.add(key)
                step.records.append(record)
        if answer.failed is not None:
            step.add(finding("query_failed", f"{RdataType.to_text(kind)}: {answer.failed}"))


async def _exists(step: DnsStep, scope: Scope, answers: dict[RdataType, Answer]) -> bool:
    """Whether the name exists; judges its addresses with the same policy as the connections."""
    if all(answer.failed is not None for answer in answers.values()):
        # The same failure of five queries is one finding.
        step.findings.clear()
        raise outgoing.Unreachable("no_dns_answer", answers[RdataType.A].failed or "")
    # All answers must agree: some servers answer NXDOMAIN when only the requested type is missing.
    if all(answer.no_such_name for answer in answers.values() if answer.failed is None):
        step.add(finding("no_such_name", scope.domain))
        step.summary = f"{scope.domain} does not exist"
        return False
    try:
        addresses = await scope.lookup.addresses(scope.domain)
    except outgoing.Unreachable as exc:
        step.add(finding("no_address" if exc.reason == "no_address" else "dns_no_answer", exc.message))
        return True
    if addresses.allowed:
        step.add(finding("addresses", ", ".join(str(each) for each in addresses.allowed[:MAX_RECORDS])))
        if all(each.version == 4 for each in addresses.allowed):
            step.add(finding("no_ipv6"))
    if addresses.refused:
        what = "; ".join(f"{address} is {reason}" for address, reason in addresses.refused[:MAX_RECORDS])
        step.add(finding("address_refused", what))
    return True


def _judge_zone(step: DnsStep, answers: dict[RdataType, Answer], *, validated: bool) -> None:
    servers = [record for record in answers[RdataType.NS].records if record.type == "NS"]
    if len(servers) == 1:
        step.add(finding("single_nameserver", servers[0].value))
    step.dnssec.validated = validated
    step.dnssec.ds = _has(answers[RdataType.DS], "DS")
    step.dnssec.dnskey = _has(answers[RdataType.DNSKEY], "DNSKEY")
    match (step.dnssec.ds, step.dnssec.dnskey):
        case (True, True):
            step.add(
                finding("dnssec_ok", "validated by the resolver" if validated else "not validated by the resolver")
            )
        case (True, False):
            step.add(finding("dnssec_broken"))
        case (False, True):
            step.add(finding("dnssec_no_ds"))
        case (False, False):
            step.add(finding("dnssec_missing"))
        case _:
            pass  # one of the two queries got no answer, which is already a finding


def _has(answer: Answer, kind: str) -> bool | None:
    return None if answer.failed is not None else any(record.type == kind for record in answer.records)


def _unless_failed(answer: Answer) -> list[str] | None:
    return None if answer.failed is not None else answer.texts
