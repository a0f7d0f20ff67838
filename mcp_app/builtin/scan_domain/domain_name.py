"""The tool's parameter: a domain name, validated and normalised to the form that DNS and TLS use.

Pure except for the import of `idna`, which only international names need. No DNS query is made here: whether a name
exists is a finding of the scan; whether it is syntactically a name is checked before a run starts.
"""

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MAX_NAME = 253
"""RFC 1035, 3.1: 255 octets on the wire are 253 characters of text."""

MAX_INPUT = 1024
"""Longer text is rejected before IDNA processing, whose cost grows faster than its input."""

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"[0-9]+\Z|0x[0-9a-f]*\Z")
_INVISIBLE = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


class DomainNameError(ValueError):
    """The text cannot be a domain name; the message says why and what to give instead."""


def normalise(text: str) -> str:
    """The lower-case A-label form (RFC 5890, 2.3.2.1) without the root's dot, e.g. `xn--bcher-kva.example`.

    Raises DomainNameError for anything that is not a host name of at least two labels (RFC 1123, 2.1).
    """
    if not text:
        raise DomainNameError("is empty; give a domain name such as example.com")
    if len(text) > MAX_INPUT:
        raise DomainNameError(f"is longer than {MAX_NAME} characters, the most a domain name can have")
    _refuse_non_names(text)
    name = _ascii(text).lower().removesuffix(".")
    _refuse_ip_literal(name)
    _check_labels(name)
    return name


def _refuse_non_names(text: str) -> None:
    if _INVISIBLE.search(text):
        raise DomainNameError("contains a space or a control character; give only the name, such as example.com")
    if any(mark in text for mark in "/\\?#"):
        raise DomainNameError(f"is a URL or a path; give only the domain name{_suggestion(text)}")
    if "@" in text:
        raise DomainNameError("contains '@'; give only the domain name, the part after the '@'")
    if "*" in text:
        raise DomainNameError("is a wildcard; give one domain name, such as www.example.com")
    _refuse_ip_literal(text)
    if ":" in text:
        raise DomainNameError("contains a port; give only the domain name, a scan uses ports 80 and 443")


def _suggestion(url: str) -> str:
    """The name inside a URL pasted by mistake, if there is a usable one."""
    try:
        host = urlsplit(url if "://" in url else "//" + url.lstrip("/")).hostname or ""
        return f", here: {normalise(host)}" if not any(mark in host for mark in "/\\?#") else ""
    except ValueError:
        return ", such as example.com"


def _refuse_ip_literal(text: str) -> None:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return
    raise DomainNameError("is an IP address; give a domain name, such as example.com")


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        import idna
    except ModuleNotFoundError:
        raise DomainNameError("is an international name: run pip install idna, or give its A-labels (xn--…)") from None
    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError as exc:  # idna.IDNAError is one
        raise DomainNameError("is not a valid international domain name (RFC 5891)") from exc


def _check_labels(name: str) -> None:
    if len(name) > MAX_NAME:
        raise DomainNameError(f"is longer than {MAX_NAME} characters, the most a domain name can have")
    labels = name.split(".")
    if len(labels) < 2:
        raise DomainNameError("has only one label; give a full domain name, such as example.com")
    for label in labels:
        if not _LABEL.match(label):
            raise DomainNameError(
                "has a label that is empty, longer than 63 characters, starts or ends with a hyphen, "
                "or has other characters than letters, digits and hyphens"
            )
    # WHATWG URL, 3.5: a name that ends in a number is read as an IPv4 address by browsers and C libraries (127.1).
    if _NUMBER.match(labels[-1]):
        raise DomainNameError("ends in a number and so is read as an IP address; give a domain name")
    if labels[-1] == "onion":  # RFC 7686, 2: applications without Tor do not look these up
        raise DomainNameError("is a Tor name; a scan has no way to reach it")


def _validated(text: str) -> str:
    try:
        return normalise(text)
    except DomainNameError as exc:
        raise PydanticCustomError("domain_name", "{reason}", {"reason": str(exc)}) from exc


Domain = Annotated[
    str,
    AfterValidator(_validated),
    Field(
        description=(
            "The domain name to scan, such as example.com. Only the name: no scheme, port, path or IP address. "
            "International names may be given in Unicode or as A-labels (xn--…)."
        ),
        examples=["example.com"],
        min_length=1,
        max_length=MAX_NAME + 1,  # the root's dot may be written
        json_schema_extra={"format": "idn-hostname"},
    ),
]
"""A parameter's type: text in, normalised domain name out, `invalid_params` otherwise."""
