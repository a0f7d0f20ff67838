"""`MCP_APP_CLIENT_CERTIFICATES`: which names in a client's certificate may call, and with which scopes.

    uri:spiffe://example.org/agents/* -> read write; dns:*.jobs.example.org -> read; subject:CN=ops,O=Example Ltd -> *

Policy as data. No certificate is read here (mcp_app/auth/certificates.py does).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..protocol.scopes import read_scopes

URI, DNS, SUBJECT = "uri", "dns", "subject"

_SEPARATORS = {URI: "/", DNS: ".", SUBJECT: ","}
"""What one `*` does not match: the end of a part of the name. `**` matches it, too."""

_CHARACTERS = {URI: ".", DNS: ".", SUBJECT: r"\\.|."}
"""What is one: in a subject one that is escaped, too, so that the comma in a value ends no part (RFC 4514, 2.4)."""

MAX_NAME = 2048
"""Characters of a name; of one that is longer, as no workload or person has it, the certificate may not call."""

FORM = (
    "a rule is KIND[:NAME] [-> SCOPES]: KIND is uri, dns or subject (RFC 4514), in NAME * stands for any text within a "
    "part, ** for any text; SCOPES are separated by spaces, * is all, none is what needs none. Rules are separated by "
    "semicolons"
)

Names = Mapping[str, Sequence[str]]
"""The names in a certificate, by their kind."""


class CertificateRule(NamedTuple):
    """Whose certificate has a name of this kind that the pattern matches has these scopes; None for all."""

    kind: str
    pattern: tuple[str, ...]
    scopes: frozenset[str] | None


def parse_rules(text: str) -> tuple[CertificateRule, ...]:
    """The rules of the setting, in their order. Raises ValueError."""
    return tuple(_rule(each.strip()) for each in text.split(";") if each.strip())


def check_rules(text: str) -> str:
    """The setting as it is. Raises ValueError for one that cannot be read, or says nothing."""
    if text and not parse_rules(text):
        raise ValueError(f"MCP_APP_CLIENT_CERTIFICATES has no rule: {FORM}")
    return text


def first_match(rules: Sequence[CertificateRule], names: Names) -> tuple[str, str, frozenset[str] | None] | None:
    """The kind and the name by which a certificate may call, and its scopes, by the first rule that matches one of its
    names; None if none does."""
    for rule in rules:
        for name in names.get(rule.kind, ()):
            if len(name) <= MAX_NAME and _matches(rule, name):
                return rule.kind, name, rule.scopes
    return None


def _rule(text: str) -> CertificateRule:
    left, arrow, granted = text.partition("->")
    kind, colon, name = left.strip().partition(":")
    kind = kind.strip().lower()
    if kind not in _SEPARATORS or (colon and not name.strip()) or (arrow and not granted.strip()):
        raise ValueError(f"MCP_APP_CLIENT_CERTIFICATES: {text[:100]!r} is no rule: {FORM}")
    pattern = _pattern(kind, name.strip() if colon else "**")
    try:
        return CertificateRule(kind, pattern, None if granted.strip() == "*" else read_scopes(granted.strip()))
    except ValueError as error:
        raise ValueError(f"MCP_APP_CLIENT_CERTIFICATES: {text[:100]!r}: {error}") from None


def _pattern(kind: str, name: str) -> tuple[str, ...]:
    """Characters and stars."""
    return tuple(re.findall(rf"(?s)\*\*|{_CHARACTERS[kind]}", name.lower() if kind == DNS else name))


def _matches(rule: CertificateRule, name: str) -> bool:
    """All places of the pattern at once, character by character: a pattern of many stars costs no more than its
    length for each."""
    pattern, separator = rule.pattern, _SEPARATORS[rule.kind]
    places = _with_skipped(pattern, {0})
    for character in re.findall(f"(?s){_CHARACTERS[rule.kind]}", name):
        reached = set()
        for place in places:
            if place == len(pattern):
                continue
            wanted = pattern[place]
            if wanted == "**" or (wanted == "*" and character != separator):
                reached.add(place)
            elif wanted == character:
                reached.add(place + 1)
        if not reached:
            return False
        places = _with_skipped(pattern, reached)
    return len(pattern) in places


def _with_skipped(pattern: Sequence[str], places: set[int]) -> set[int]:
    """With the places behind stars, which may stand for nothing."""
    found = set(places)
    for place in places:
        at = place
        while at < len(pattern) and pattern[at] in ("*", "**"):
            at += 1
            found.add(at)
    return found
