"""RFC 6570, levels 1 and a part of 2, in both directions; and what callers must not get through a template."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.http.uri_template import MAX_URI, TemplateError, UriTemplate, normal

# --- the standard's examples -----------------------------------------------------------------------------------------


def expanded(template: str, **values: str) -> str:
    """RFC 6570, 3.2.2 and 3.2.3: what a client makes of a template, by the standard's own words."""
    text = re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), template)
    return re.sub(r"\{\+(\w+)\}", lambda found: quote(values[found[1]], safe=":/?#[]@!$&'()*+,;="), text)


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [  # RFC 6570, 3.2.2 and 3.2.3, behind a scheme
        ("x:{var}", "x:value", {"var": "value"}),
        ("x:{hello}", "x:Hello%20World%21", {"hello": "Hello World!"}),
        ("x:{half}", "x:50%25", {"half": "50%"}),
        ("x:{+var}", "x:value", {"var": "value"}),
        ("x:{+hello}", "x:Hello%20World!", {"hello": "Hello World!"}),
        ("x:{+half}", "x:50%25", {"half": "50%"}),
        ("x:{base}index", "x:http%3A%2F%2Fexample.com%2Fhome%2Findex", {"base": "http://example.com/home/"}),
        ("x:{+base}index", "x:http://example.com/home/index", {"base": "http://example.com/home/"}),
        ("x:here?ref={+part}", "x:here?ref=foo/bar", {"part": "foo/bar"}),
    ],
)
def test_what_the_standard_expands_is_matched(template: str, uri: str, values: dict[str, str]) -> None:
    assert expanded(template, **values) == uri
    assert UriTemplate.parse(template).match(uri) == values


# --- matching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("test://template/{id}/data", "test://template/123/data", {"id": "123"}),
        ("test://template/{id}/data", "TEST://template/123/data", {"id": "123"}),
        ("test://template/{id}/data", "test://template/caf%c3%a9/data", {"id": "café"}),
        ("test://template/{id}/data", "test://template/café/data", {"id": "café"}),
        ("test://template/{id}/data", "test://%74emplate/a:b@c/data", {"id": "a:b@c"}),
        ("test://template/{id}/data", "test://template/a%2Fb/data", {"id": "a/b"}),
        ("repo://{owner}/{+path}", "repo://me/src/main.rs", {"owner": "me", "path": "src/main.rs"}),
        ("repo://{+path}/raw", "repo://a/raw/b/raw", {"path": "a/raw/b"}),
        ("day://{year}-{month}", "day://2026-07", {"year": "2026", "month": "07"}),
        ("day://{year}-{month}", "day://2026-07-28", {"year": "2026", "month": "07-28"}),
        ("find://all?q={q}&page={page}", "find://all?q=a/b?c=%26&page=2", None),
        ("find://all?q={q}&page={page}", "find://all?q=a%3D%26&page=2", {"q": "a=&", "page": "2"}),
        ("find://all?q={q}", "find://all?q=a&page=2", None),
        ("urn:isbn:{n}", "urn:isbn:0451450523", {"n": "0451450523"}),
        ("x://plain", "x://plain", {}),
        ("x://pl%41in", "x://pl%61in", None),
        ("x://pl%61in", "x://plain", {}),
        ("x://{a}A{b}", "x://b%2AcAd", {"a": "b*c", "b": "d"}),
    ],
)
def test_match(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert UriTemplate.parse(template).match(uri) == values


@pytest.mark.parametrize(
    "uri",
    [
        "docs://..",
        "docs://a/../b",
        "docs://a/..",
        "docs://./b",
        "docs://%2e%2e/etc/passwd",
        "docs://%2E./etc/passwd",
        "docs://a/%2e%2E%2fetc",
        "docs://..%2fetc",
        "docs://..%5Cetc",
        "docs:///etc/passwd",
        "docs://%2Fetc/passwd",
        "docs://%5Cserver",
        "docs://a%00.png",
        "docs://a%0D%0Ab",
        "docs://a%7Fb",
        "docs://%FF",
        "docs://%C0%AE%C0%AE/etc",  # an overlong ".."
        "docs://%ED%A0%80",  # a surrogate
        "docs://a%2",
        "docs://a%zz",
        "docs://a b",
        "docs://a\nb",
        "docs://a\n",
        "docs://\ud800",
        "docs://",
        "docs:",
        "",
        "no scheme",
        "//docs",
        "docs://" + "a" * MAX_URI,
    ],
)
@pytest.mark.parametrize("template", ["docs://{+path}", "docs://{path}", "docs://{+path}/x"])
def test_hostile_uris_match_nothing(template: str, uri: str) -> None:
    assert UriTemplate.parse(template).match(uri) is None
    assert UriTemplate.parse(template).match(uri + "/x") is None


def test_what_is_encoded_twice_is_decoded_once() -> None:
    assert UriTemplate.parse("d://{x}").match("d://%252e%252e") == {"x": "%2e%2e"}


@given(st.text(), st.sampled_from(["d://{x}", "d://{+x}", "d://r/{x}.txt"]))
def test_no_value_leads_out_of_a_directory(text: str, template: str) -> None:
    for uri in (text, "d://" + text, expanded(template, x=text or "a")):
        for value in (UriTemplate.parse(template).match(uri) or {}).values():
            assert value
            assert value[0] not in "/\\"
            assert not {"..", "."} & set(value.replace("\\", "/").split("/"))
            assert value.isprintable() or min(map(ord, value)) > 0x1F


_harmless = st.text(min_size=1, max_size=20).filter(
    lambda value: (
        value[0] not in "/\\"
        and min(map(ord, value)) > 0x1F
        and "\x7f" not in value
        and not {".", ".."} & set(re.split(r"[/\\]", value))
    )
)


@given(_harmless, _harmless)
def test_what_is_expanded_is_matched(one: str, other: str) -> None:
    template = "test://a/{one}/b/{other}.json"
    assert UriTemplate.parse(template).match(expanded(template, one=one, other=other)) == {"one": one, "other": other}


@given(_harmless, _harmless.filter(lambda value: not re.search("%[0-9A-Fa-f]{2}", value)))
def test_what_is_expanded_with_slashes_is_matched(one: str, path: str) -> None:
    template = "test://{one}/{+path}"
    uri = expanded(template, one=one, path=path)
    assert normal(uri) == normal(normal(uri) or "") is not None
    assert UriTemplate.parse(template).match(uri) == {"one": one, "path": path}


@given(
    st.lists(st.sampled_from(["-", "a", "-a", "aa", "/", "-/", "a/a", "--"]), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["", "-", "a-", "/"]),
    st.text(alphabet="-a/", max_size=12),
)
def test_a_match_is_found_wherever_trying_everything_finds_one(
    literals: list[str], reserved: bool, end: str, rest: str
) -> None:
    text = "x:" + "".join(f"{{v{i}}}{literal}" for i, literal in enumerate(literals))
    text += ("{+w}" if reserved else "{w}") + end
    everything = "x:" + "".join(f"([a-]+){re.escape(literal)}" for literal in literals)
    everything += ("([a/-]+)" if reserved else "([a-]+)") + re.escape(end)
    template, uri = UriTemplate.parse(text), "x:" + rest
    found = template.match(uri)
    if re.fullmatch(everything, uri) is None:
        assert found is None
    elif found is not None:
        assert expanded(text, **found) == uri
    else:  # only for what must not be given out: a value that starts with a slash
        assert reserved
        assert template._pattern.fullmatch(uri)


def test_matching_takes_linear_time() -> None:
    template = UriTemplate.parse("x:{a}-{b}-{c}-{d}-{e}/z")
    template.match("x:a-b-c-d-e/z")
    began = time.monotonic()
    assert template.match("x:" + "-" * (MAX_URI - 2)) is None
    assert time.monotonic() - began < 5  # trying everything would take years


# --- definitions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{scheme}://x", "no scheme"),
        ("/just/a/path", "no scheme"),
        ("", "no scheme"),
        ("x://{a}{b}", "nothing between"),
        ("x://{a}/{a}", "{a} stands there twice"),
        ("x://{+a}/{b}", "last variable"),
        ("x://{?q}", "{?q} is not supported"),
        ("x://{a,b}", "{a,b} is not supported"),
        ("x://{a*}", "{a*} is not supported"),
        ("x://{}", "{} is not supported"),
        ("x://{a", "unencoded"),
        ("x://a}", "unencoded"),
        ("x://a b/{c}", "unencoded"),
        ("x://é", "unencoded"),
        ("x://%4", "unencoded"),
        ("x://" + "a" * MAX_URI, "longer than"),
    ],
)
def test_templates_that_cannot_be_used(text: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(problem)):
        UriTemplate.parse(text)


def test_the_shape_is_what_two_templates_for_the_same_uris_share() -> None:
    shapes = [UriTemplate.parse(text).shape for text in ("X://a/{b}", "x://%61/{c}", "x://a/{+b}", "x://a/{b}/")]
    assert shapes[0] == shapes[1]
    assert len(set(shapes)) == 3
