"""Names to addresses: one DNS resolver for a scan, and the addresses that may be connected to.

A name is resolved once in a scan; every connection goes to one of the addresses checked then. Nothing here connects to
a host other than the resolver, and the records are interpreted in `steps/`.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from mcp_app.builtin.scan_domain.address_policy import Address, refusal
from mcp_app.builtin.scan_domain.settings import ScanSettings
from mcp_app.builtin.scan_domain.unreachable import Unreachable

EDNS_PAYLOAD = 1232
"""Bytes of UDP: the size that never fragments on IPv6 (DNS flag day 2020); larger answers come over TCP."""


def make_resolver(settings: ScanSettings) -> dns.asyncresolver.Resolver:
    """A resolver that asks for DNSSEC data. Raises Unreachable where the system names no resolver."""
    try:
        resolver = dns.asyncresolver.Resolver(configure=settings.nameserver is None)
    except (dns.resolver.NoResolverConfiguration, OSError) as exc:
        raise Unreachable("no_dns_answer", "this host has no DNS resolver configured") from exc
    if settings.nameserver is not None:
        address, port = settings.nameserver
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port)]
    resolver.lifetime = settings.dns_seconds
    resolver.timeout = settings.dns_seconds / 2  # for one attempt with one server: a lost datagram is sent again
    resolver.use_edns(0, dns.flags.DO, EDNS_PAYLOAD)
    # AD in a question: "tell me whether you validated" (RFC 6840, 5.7).
    resolver.flags = dns.flags.RD | dns.flags.AD
    return resolver


@dataclass(frozen=True)
class Addresses:
    """What a name resolved to. `refused` has the reason with each address."""

    allowed: tuple[Address, ...]
    refused: tuple[tuple[Address, str], ...]


class Lookup:
    """The addresses of names, each name resolved and checked once."""

    def __init__(self, settings: ScanSettings) -> None:
        self.settings = settings
        self._known: dict[str, Addresses | Unreachable] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def addresses(self, host: str) -> Addresses:
        """The addresses of a name or an IP literal; raises Unreachable when there are none at all."""
        async with self._locks[host]:
            known = self._known.get(host)
            if known is None:
                try:
                    known = self._checked(await self._resolve(host))
                except Unreachable as exc:
                    known = exc
                self._known[host] = known
        if isinstance(known, Unreachable):
            raise Unreachable(known.reason, known.message)
        return known

    async def allowed(self, host: str) -> tuple[Address, ...]:
        """The addresses that may be connected to; raises Unreachable when there is none."""
        found = await self.addresses(host)
        if not found.allowed:
            address, reason = found.refused[0]
            raise Unreachable("refused_address", f"{address} is {reason}")
        return found.allowed

    def refusal(self, address: Address) -> str | None:
        """The policy under this scan's settings."""
        return refusal(address, allow_private=self.settings.allow_private, allow_networks=self.settings.allow_networks)

    def _checked(self, found: list[Address]) -> Addresses:
        reasons = [(address, self.refusal(address)) for address in found]
        return Addresses(
            allowed=tuple(address for address, reason in reasons if reason is None),
            refused=tuple((address, reason) for address, reason in reasons if reason is not None),
        )

    async def _resolve(self, host: str) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass  # a name
        resolver = make_resolver(self.settings)
        answers = await asyncio.gather(_ask(resolver, host, dns.rdatatype.A), _ask(resolver, host, dns.rdatatype.AAAA))
        found = [address for answer in answers if not isinstance(answer, Unreachable) for address in answer]
        if found:
            return found
        failed = next((answer for answer in answers if isinstance(answer, Unreachable)), None)
        raise failed or Unreachable("no_address", f"{host} has neither an A nor an AAAA record")


async def _ask(
    resolver: dns.asyncresolver.Resolver, host: str, kind: dns.rdatatype.RdataType
) -> list[Address] | Unreachable:
    """Failures are returned, not raised: one family without an answer must not hide the other."""
    try:
        # An absolute name: the system's search list must not turn a public name into an internal one.
        answer = await resolver.resolve(dns.name.from_text(host), kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return Unreachable("no_such_name", f"{host} does not exist")
    except (dns.exception.DNSException, OSError) as exc:
        return Unreachable("no_dns_answer", f"{host} could not be resolved: {reason_of(exc)}")
    return [ip_address(record.address) for record in answer] if answer.rrset is not None else []


def reason_of(exc: BaseException) -> str:
    """A DNS failure as a message for the caller, without the resolver's address."""
    if isinstance(exc, dns.exception.Timeout):
        return "the DNS resolver did not answer in time"
    if isinstance(exc, dns.resolver.NoNameservers):
        return "the DNS resolver answered with a failure (SERVFAIL or REFUSED)"
    return "the DNS resolver could not be asked"
