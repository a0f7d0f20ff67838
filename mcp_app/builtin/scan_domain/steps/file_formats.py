"""The validity rules of each file. Pure: text and time in, a judgement out; nothing is fetched here."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcp_app.builtin.scan_domain.quoting import quoted


@dataclass(frozen=True)
class Judged:
    """`problem` is None for a valid file; `fields` is a summary of its content."""

    problem: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    code: str = "file_invalid"


Judge = Callable[[str, datetime], Judged]


def robots_txt(text: str, now: datetime) -> Judged:
    """RFC 9309, 2.2: lines of `key: value`; without a group or sitemap it has no effect."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    pairs = [
        (key.strip().lower(), value.strip()) for key, colon, value in (line.partition(":") for line in lines) if colon
    ]
    agents = {value.lower() for key, value in pairs if key == "user-agent"}
    sitemaps = [value for key, value in pairs if key == "sitemap"]
    if not agents and not sitemaps and any(lines):
        return Judged("it has neither a user-agent nor a sitemap line")
    fields = {"user_agents": str(len(agents)), "sitemaps": str(len(sitemaps))}
    return Judged(fields=fields)


def llms_txt(text: str, now: datetime) -> Judged:
    """llmstxt.org: Markdown that begins with a heading of the first level, the site's name."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not re.match(r"# +\S", first):
        return Judged("it does not begin with '# ' and a name")
    sections = sum(1 for line in text.splitlines() if line.startswith("## "))
    return Judged(fields={"title": quoted(first[1:].strip(), 100), "sections": str(sections)})


def security_txt(text: str, now: datetime) -> Judged:
    """RFC 9116, 2.5: at least one Contact and exactly one Expires, which is not past."""
    pairs = [
        (name.strip().lower(), value.strip())
        for name, colon, value in (line.partition(":") for line in _unsigned(text).splitlines())
        if colon and not name.startswith("#")
    ]
    contacts = [value for name, value in pairs if name == "contact"]
    expires = [value for name, value in pairs if name == "expires"]
    fields = {"contact": quoted(", ".join(contacts), 200)} if contacts else {}
    if expires:
        fields["expires"] = quoted(expires[0], 50)
    if not contacts:
        return Judged("it has no Contact (RFC 9116, 2.5.3)", fields)
    if not all(re.match(r"[a-z][a-z0-9+.-]*:", contact, re.IGNORECASE) for contact in contacts):
        return Judged("a Contact is not a URI such as mailto: or https: (RFC 9116, 2.5.3)", fields)
    if len(expires) != 1:
        return Judged(f"it has {len(expires)} Expires instead of one (RFC 9116, 2.5.5)", fields)
    moment = _rfc3339(expires[0])
    if moment is None:
        return Judged("its Expires is not a date and time with a zone (RFC 3339)", fields)
    if moment < now:
        return Judged(f"it expired on {moment:%Y-%m-%d}", fields, code="security_txt_expired")
    return Judged(fields=fields)


def _unsigned(text: str) -> str:
    """The signed text of an OpenPGP cleartext signature (RFC 9580, 7), else the text. The signature is not verified."""
    # Cut with plain searches: a regular expression over 256 KiB of untrusted text can take quadratic time.
    _, begin, signed = text.partition("-----BEGIN PGP SIGNED MESSAGE-----")
    if not begin:
        return text
    body = signed.partition("-----BEGIN PGP SIGNATURE-----")[0]
    headers_end = re.search(r"\n\r?\n", body)
    lines = (body[headers_end.end() :] if headers_end else body).splitlines()
    return "\n".join(line.removeprefix("- ") for line in lines)


def _rfc3339(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def mcp_json(text: str, now: datetime) -> Judged:
    """No standard: several formats are in use; common to them is an object that names an endpoint."""
    document = _object(text)
    if isinstance(document, Judged):
        return document
    places = ("endpoint", "endpoints", "transports", "remotes", "mcpServers", "servers", "url")
    named = [place for place in places if document.get(place)]
    if not named:
        return Judged(f"it names no endpoint (looked for {', '.join(places)})")
    return Judged(fields={**_named(document), "endpoints_in": named[0]})


def server_card(text: str, now: datetime) -> Judged:
    """An MCP server card (SEP-2127: name, version, description), or the older shape with `serverInfo`."""
    document = _object(text)
    if isinstance(document, Judged):
        return document
    info = document.get("serverInfo")
    if isinstance(info, dict) and isinstance(info.get("name"), str) and isinstance(info.get("version"), str):
        return Judged(fields=_named(info))
    missing = [key for key in ("name", "version", "description") if not isinstance(document.get(key), str)]
    if missing:
        return Judged(f"it lacks {', '.join(missing)}", _named(document))
    return Judged(fields=_named(document))


def ai_catalog(text: str, now: datetime) -> Judged:
    """AI Catalog 1.0: `specVersion` and `entries`, each with identifier, type, and url or data."""
    document = _object(text)
    if isinstance(document, Judged):
        return document
    if not isinstance(document.get("specVersion"), str):
        return Judged("it lacks specVersion")
    entries = document.get("entries")
    if not isinstance(entries, list):
        return Judged("its entries are not a list")
    for number, entry in enumerate(entries):
        complete = isinstance(entry, dict) and entry.get("identifier") and entry.get("type")
        if not complete or not ("url" in entry or "data" in entry):
            return Judged(f"entry {number} lacks identifier, type, or url and data")
    return Judged(fields={"entries": str(len(entries))})


def _object(text: str) -> dict[str, Any] | Judged:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: nested a thousand deep
        return Judged("it is not JSON")
    return document if isinstance(document, dict) else Judged("it is JSON, but not an object")


def _named(document: dict[str, Any]) -> dict[str, str]:
    return {
        key: quoted(value, 100)
        for key in ("name", "server_name", "version", "description")
        if isinstance(value := document.get(key), str)
    }
