"""A real DNS server for the scan's tests: UDP and TCP on one loopback port, answering from a table made by the test.

Imported by tests/builtin only. Not a resolver: it has every zone that exists.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

MAX_UDP = 1232


class DnsWorld:
    """`put` makes records, `turns` answers that differ each time; the attributes make the server misbehave."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, RdataType], list[str]] = {}
        self.turns: dict[tuple[str, RdataType], list[list[str]]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.asked_by_tcp: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.garbage = False
        self.rcode: dns.rcode.Rcode | None = None
        self.fails: dict[tuple[str, RdataType], dns.rcode.Rcode] = {}
        self.authentic = False
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    def put(self, name: str, kind: str, *values: str) -> None:
        """Replace the records of one name and type; without values, remove them."""
        key = (name.lower(), RdataType.from_text(kind))
        self.records.pop(key, None)
        if values:
            self.records[key] = list(values)

    def take_turns(self, name: str, kind: str, *answers: Sequence[str]) -> None:
        """Each question gets the next answer; the last one is repeated."""
        self.turns[name.lower(), RdataType.from_text(kind)] = [list(answer) for answer in answers]

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):  # UDP's port may be taken for TCP by another program
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind(("127.0.0.1", 0))
            try:
                self._tcp = await asyncio.start_server(self._on_connection, "127.0.0.1", udp.getsockname()[1])
            except OSError:
                udp.close()
                continue
            self.port = udp.getsockname()[1]
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
            return
        raise RuntimeError("no port is free for both UDP and TCP")

    async def stop(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        if self.silent:
            return None
        query = dns.message.from_wire(wire)
        question = query.question[0]
        asked = (question.name.to_text(omit_final_dot=True).lower(), RdataType.to_text(question.rdtype))
        self.asked[asked] += 1
        self.asked_by_tcp[asked] += tcp
        if self.garbage:
            return wire[:2] + b"\xff" * 40
        response = dns.message.make_response(query, recursion_available=True)
        failure = self.rcode or self.fails.get((asked[0], question.rdtype))
        if failure is not None:
            response.set_rcode(failure)
        else:
            self._fill(response, asked[0], question.rdtype)
        if self.authentic:
            response.flags |= dns.flags.AD
        whole: bytes = response.to_wire(max_size=65535)
        if tcp or len(whole) <= MAX_UDP:
            return whole
        response.answer.clear()
        response.flags |= dns.flags.TC
        short: bytes = response.to_wire()
        return short

    def _fill(self, response: dns.message.Message, name: str, kind: RdataType) -> None:
        for _ in range(10):
            values = self._values(name, kind)
            if values:
                response.answer.append(_rrset(name, kind, values))
                return
            alias = self.records.get((name, RdataType.CNAME))
            if not alias:
                break
            response.answer.append(_rrset(name, RdataType.CNAME, alias))
            name = alias[0].rstrip(".").lower()
        known = {each for each, _ in [*self.records, *self.turns]}
        if not any(each == name or each.endswith(f".{name}") for each in known):
            response.set_rcode(dns.rcode.NXDOMAIN)
        labels = name.split(".")
        for start in range(len(labels)):
            zone = ".".join(labels[start:])
            if soa := self.records.get((zone, RdataType.SOA)):
                response.authority.append(_rrset(zone, RdataType.SOA, soa))
                return

    def _values(self, name: str, kind: RdataType) -> list[str]:
        turns = self.turns.get((name, kind))
        if turns is None:
            return self.records.get((name, kind), [])
        return turns.pop(0) if len(turns) > 1 else turns[0]

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                reply = self.answer(await reader.readexactly(size), tcp=True)
                if reply is None:
                    return
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client is done
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, world: DnsWorld) -> None:
        self._world = world
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # a DatagramTransport, which asyncio's own does not say of itself

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._world.answer(data, tcp=False)
        if reply is not None:
            self._transport.sendto(reply, addr)


def _rrset(name: str, kind: RdataType, values: list[str]) -> dns.rrset.RRset:
    rrset = dns.rrset.RRset(dns.name.from_text(name), dns.rdataclass.IN, kind)
    for value in values:
        rrset.add(dns.rdata.from_text(dns.rdataclass.IN, kind, value), ttl=300)
    return rrset
