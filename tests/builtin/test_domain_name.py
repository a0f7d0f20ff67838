"""What may be given as a domain name, and what is said of the rest."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mcp_app.builtin.scan_domain.domain_name import Domain, DomainNameError, normalise

ADAPTER: TypeAdapter[str] = TypeAdapter(Domain)

GOOD = [
    ("example.com", "example.com"),
    ("EXAMPLE.Com", "example.com"),
    ("example.com.", "example.com"),
    ("a-b.c0.example", "a-b.c0.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
    ("faß.example", "xn--fa-hia.example"),
    ("123.example", "123.example"),
    (f"{'a' * 63}.example", f"{'a' * 63}.example"),
    (".".join(["a" * 61] * 4) + ".abcd", ".".join(["a" * 61] * 4) + ".abcd"),
]

BAD = [
    ("", "empty"),
    ("https://example.com/path?x=1", "here: example.com"),
    ("http://user:pw@example.com:8443", "here: example.com"),
    ("example.com/path", "here: example.com"),
    ("//example.com", "here: example.com"),
    ("example.com?x", "a URL or a path"),
    ("https://127.0.0.1/", "a URL or a path"),
    ("https://[/", "a URL or a path"),
    ("example.com\\@evil.test", "a URL or a path"),
    ("example.com:443", "port"),
    ("user@example.com", "'@'"),
    ("*.example.com", "wildcard"),
    ("127.0.0.1", "IP address"),
    ("\uff11\uff12\uff17.\uff10.\uff10.\uff11", "IP address"),  # full-width digits
    ("::1", "IP address"),
    ("[::1]", "IP address"),
    ("2130706433", "label"),
    ("127.1", "ends in a number"),
    ("0x7f.1", "ends in a number"),
    ("example.0x7f", "ends in a number"),
    ("example.0x", "ends in a number"),
    ("localhost", "only one label"),
    ("com.", "only one label"),
    (".", "only one label"),
    ("a..example", "label"),
    (".example.com", "label"),
    ("example.com..", "label"),
    ("-a.example", "label"),
    ("a-.example", "label"),
    ("a_b.example", "label"),
    ("a$b.example", "label"),
    ("a%00.example", "label"),
    (f"{'a' * 64}.example", "label"),
    (".".join(["a" * 61] * 4) + ".abcdef.test", "longer"),
    ("a" * 2000, "longer"),
    ("exa mple.com", "space or a control"),
    ("example.com\r\nHost: evil", "space or a control"),
    ("example.com\x00.evil.test", "space or a control"),
    ("example.com\n", "space or a control"),
    ("example.com\u2028", "space or a control"),
    ("exam\u200bple.com", "space or a control"),
    ("\u202eexample.com", "space or a control"),
    ("xn--ü.example", "international"),
    ("☃\ufe0f.example", "international"),
    ("address.onion", "Tor"),
]


@pytest.mark.parametrize(("text", "name"), GOOD)
def test_names_are_brought_to_one_form(text: str, name: str) -> None:
    assert normalise(text) == name
    assert ADAPTER.validate_python(text) == name


@pytest.mark.parametrize(("text", "why"), BAD)
def test_what_is_not_a_name_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(DomainNameError, match=re.escape(why)):
        normalise(text)
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(text)


def test_the_schema_says_what_is_wanted() -> None:
    schema = ADAPTER.json_schema()
    assert schema["examples"] == ["example.com"]
    assert schema["format"] == "idn-hostname"
    assert "no scheme, port, path" in schema["description"]
    assert (schema["minLength"], schema["maxLength"]) == (1, 254)


@given(st.text(max_size=300))
def test_any_text_is_a_clean_name_or_a_domain_name_error(text: str) -> None:
    try:
        name = normalise(text)
    except DomainNameError as exc:
        refused = str(exc)
    else:
        refused = ""
    # The message goes to the caller: it must not carry control characters back.
    assert refused.isprintable()
    if refused:
        return
    assert re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", name)
    assert len(name) <= 253
    with pytest.raises(ValueError, match="address"):
        ip_address(name)
    assert normalise(name) == name


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
TOP = st.from_regex(r"[a-z]{2,20}", fullmatch=True).filter(lambda label: label != "onion")


@given(st.lists(LABEL, min_size=1, max_size=3), TOP)
def test_every_letter_digit_hyphen_name_is_taken(labels: list[str], top: str) -> None:
    name = ".".join([*labels, top])
    assert normalise(name) == name
    assert normalise(name.upper() + ".") == name


@given(st.sampled_from("\x00\r\n\t /\\@:*?#%[]"), st.integers(0, 11))
def test_one_forbidden_character_anywhere_is_refused(char: str, where: int) -> None:
    with pytest.raises(DomainNameError):
        normalise("example.com"[:where] + char + "example.com"[where:])
