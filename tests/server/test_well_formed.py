"""The rules for HTTP/2 fields, compared with those of the library they stand in for."""

from __future__ import annotations

import pytest
from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers
from hypothesis import example, given
from hypothesis import strategies as st
from malformed_requests import FIELDS, HEADS, LET_THROUGH, Fields, request

from mcp_app.server.engine.well_formed import announced_body, are_valid_trailers, is_valid_request

octets = st.integers(0, 255).map(lambda number: bytes([number]))
short = st.lists(octets, max_size=3).map(b"".join)
names = st.one_of(
    short,
    st.sampled_from([name for name, _ in FIELDS.values()]),
    st.sampled_from([b":method", b":scheme", b":path", b":authority", b":protocol", b":status", b"host", b"te", b"x"]),
)
values = st.one_of(
    short,
    st.sampled_from([value for _, value in FIELDS.values()]),
    st.sampled_from([b"GET", b"CONNECT", b"https", b"/", b"localhost", b"trailers", b"5"]),
)
blocks = st.tuples(
    st.permutations(request()), st.integers(0, 4), st.lists(st.tuples(names, values), max_size=3)
).map(lambda parts: [*parts[0][: parts[1]], *parts[2], *parts[0][parts[1] :]])  # fmt: skip


def library_accepts(fields: Fields, *, trailers: bool = False) -> bool:
    flags = HeaderValidationFlags(
        is_client=False, is_trailer=trailers, is_response_header=False, is_push_promise=False
    )  # fmt: skip
    try:
        list(validate_headers(fields, flags))
    except (ProtocolError, IndexError):  # IndexError: its answer to an empty block
        return False
    return True


@given(blocks)
@example(request())
def test_nothing_is_accepted_that_the_library_refuses(fields: Fields) -> None:
    assert library_accepts(fields) or not is_valid_request(fields)


@given(st.lists(st.tuples(names, values), max_size=4))
def test_no_trailers_are_accepted_that_the_library_refuses(fields: Fields) -> None:
    assert library_accepts(fields, trailers=True) or not are_valid_trailers(fields)


@given(st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), values), max_size=4))
def test_ordinary_fields_are_accepted_as_by_the_library(ordinary: list[tuple[str, bytes]]) -> None:
    """What else we refuse are the characters and lengths that the library does not look at."""
    fields = request(*((name.encode(), value) for name, value in ordinary if not name.startswith("content-l")))
    fields = [(name, value) for name, value in fields if all(byte >= 0x20 and byte != 0x7F for byte in value)]
    assert is_valid_request(fields) == library_accepts(fields)


@pytest.mark.parametrize("name", sorted((HEADS | LET_THROUGH).keys() - {"length, but no body"}))
def test_malformed(name: str) -> None:
    assert not is_valid_request((HEADS | LET_THROUGH)[name])


@pytest.mark.parametrize("name", FIELDS)
def test_malformed_trailers(name: str) -> None:
    assert not are_valid_trailers([(b"x", b"a"), FIELDS[name]])


@pytest.mark.parametrize(
    "fields",
    [
        request(),
        request((b"host", b"localhost")),
        request((b"host", b"[::1]:8443"), authority=None),
        request(authority=b"[::1]:8443"),
        request(method=b"OPTIONS", path=b"*"),
        request(method=b"M-SEARCH", path=b"//%00?a%23b"),
        request(method=b"CONNECT", protocol=b"websocket"),
        request((b"te", b"Trailers")),
        request((b"content-length", b"007"), (b"content-length", b"7")),
    ],
    ids=str,
)
def test_well_formed(fields: Fields) -> None:
    assert is_valid_request(fields)


def test_content_length() -> None:
    assert announced_body(request()) == (None, False)
    assert announced_body(request((b"content-length", b"0"))) == (0, False)
    assert announced_body(request((b"content-length", b"007"), (b"content-length", b"7"))) == (7, False)
    assert announced_body(request((b"expect", b"100-Continue"))) == (None, True)
