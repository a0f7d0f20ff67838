"""Types of PostgreSQL: what the catalog says of each. Nothing is converted here: columns.py and parameters.py do.

An oid below 16384 is the same in every database (PostgreSQL, "System Catalog Initial Data").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BOOL, BYTEA, INT8, INT2, INT4, TEXT, OID = 16, 17, 20, 21, 23, 25, 26
JSON, XML, CIDR, FLOAT4, FLOAT8, INET = 114, 142, 650, 700, 701, 869
BPCHAR, DATE, TIMESTAMP, TIMESTAMPTZ, NUMERIC = 1042, 1082, 1114, 1184, 1700
RECORD, ANYARRAY, RECORD_ARRAY, JSONB = 2249, 2277, 2287, 3802

_FACTS = """
SELECT oid, pg_catalog.format_type(oid, NULL) AS name, typtype::pg_catalog.text AS kind,
       typcategory::pg_catalog.text AS category, typelem AS element, typbasetype AS base
  FROM pg_catalog.pg_type WHERE oid = ANY ($1::pg_catalog.oid[])
"""


@dataclass(frozen=True, slots=True)
class PostgresType:
    """`name` as `format_type` has it: `timestamp with time zone`, `text[]`."""

    oid: int
    name: str
    kind: str
    """typtype: b base, c composite, d domain, e enum, m multirange, p pseudo, r range."""
    element: int
    """The oid of an array's elements, else 0."""
    base: int
    """The oid of what a domain constrains, else 0."""

    @property
    def is_array(self) -> bool:
        return self.element != 0

    @property
    def is_composite(self) -> bool:
        return self.kind == "c" or self.oid == RECORD


class Types:
    """The types that were met in one database. An oid means the same as long as its type is there."""

    def __init__(self) -> None:
        self._known: dict[int, PostgresType] = {}

    async def learn(self, connection: Any, oids: Iterable[int]) -> None:
        """Look up those that are not known, their elements, and what domains are made of."""
        wanted = {oid for oid in oids if oid not in self._known}
        while wanted:
            for found in await connection.fetch(_FACTS, sorted(wanted)):
                element = found["element"] if found["category"] == "A" else 0
                one = PostgresType(found["oid"], found["name"], found["kind"], element, found["base"])
                self._known[one.oid] = one
            met = {each for oid in wanted for each in (self.of(oid).element, self.of(oid).base) if each}
            wanted = {oid for oid in met if oid not in self._known}

    def of(self, oid: int) -> PostgresType:
        """One that was looked up. A type that was dropped meanwhile has only its number."""
        return self._known.get(oid) or PostgresType(oid, f"type {oid}", "b", 0, 0)

    def below(self, oid: int) -> PostgresType:
        """The type itself, or what the domain is a domain of."""
        one = self.of(oid)
        while one.base:
            one = self.of(one.base)
        return one
