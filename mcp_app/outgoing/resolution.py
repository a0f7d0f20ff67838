"""Names to addresses, each checked by the rules before anybody connects to it.

Nothing here connects to a host other than the resolver, and no other records are read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from .addresses import Address
from .rules import Rules
from .unreachable import Unreachable

EDNS_PAYLOAD = 1232
"""Bytes of UDP: the size that never fragments on IPv6 (DNS flag day 2020); larger answers come over TCP."""

KEPT_SECONDS = 30.0
"""How long an answer is used again, whatever its TTL: long enough for all requests of one call, short enough for a site
that moves. What is connected to is checked each time, so that no length of it opens anything."""

KEPT_NAMES = 1000
"""Names kept; callers choose them, and a client may live as long as the server."""


def make_resolver(rules: Rules) -> dns.asyncresolver.Resolver:
    """A resolver that asks for DNSSEC data. Raises Unreachable where the system names no resolver."""
    try:
        resolver = dns.asyncresolver.Resolver(configure=rules.nameserver is None)
    except (dns.resolver.NoResolverConfiguration, OSError) as exc:
        raise Unreachable("no_dns_answer", "this host has no DNS resolver configured") from exc
    if rules.nameserver is not None:
        address, port = rules.nameserver
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port)]
    resolver.lifetime = rules.dns_seconds
    resolver.timeout = rules.dns_seconds / 2  # for one attempt with one server: a lost datagram is sent again
    resolver.use_edns(0, dns.flags.DO, EDNS_PAYLOAD)
    # AD in a question: "tell me whether you validated" (RFC 6840, 5.7).
    resolver.flags = dns.flags.RD | dns.flags.AD
    return resolver


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a name resolved to. `refused` has the reason with each address."""

    allowed: tuple[Address, ...]
    refused: tuple[tuple[Address, str], ...]


@dataclass(slots=True)
class _Name:
    """One name: who asks for it while it is being asked for waits for the same answer."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    found: Addresses | Unreachable | None = None
    until: float = 0.0


class Lookup:
    """The addresses of names, each name resolved and checked once in `KEPT_SECONDS`; `now` is a clock, in seconds."""

    def __init__(self, rules: Rules, now: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules
        self._now = now
        self._names: dict[str, _Name] = {}

    async def addresses(self, host: str) -> Addresses:
        """The addresses of a name or an IP literal; raises Unreachable when there are none at all."""
        name = self._names.pop(host, None) or _Name()
        self._names[host] = name  # the latest is the last
        if len(self._names) > KEPT_NAMES:
            del self._names[next(iter(self._names))]
        async with name.lock:
            if name.found is None or name.until <= self._now():
                try:
                    name.found = self._checked(await self._resolve(host))
                except Unreachable as exc:
                    name.found = exc
                name.until = self._now() + KEPT_SECONDS
            found = name.found
        if isinstance(found, Unreachable):
            raise Unreachable(found.reason, found.message)
        return found

    async def allowed(self, host: str) -> tuple[Address, ...]:
        """The addresses that may be connected to; raises Unreachable when there is none."""
        found = await self.addresses(host)
        if not found.allowed:
            raise Unreachable("refused_address", f"{host} is at {found.refused[0][1]}")
        return found.allowed

    def _checked(self, found: list[Address]) -> Addresses:
        reasons = [(address, self.rules.refusal(address)) for address in found]
        return Addresses(
            allowed=tuple(address for address, reason in reasons if reason is None),
            refused=tuple((address, reason) for address, reason in reasons if reason is not None),
        )

    async def _resolve(self, host: str) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass  # a name
        resolver = make_resolver(self.rules)
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
