"""Everything that reads what a caller wrote: any text has a meaning or a documented refusal, and nothing else happens.

Texts are drawn from the grammar's own pieces, so that most are nearly right, and from none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.auth import keys
from mcp_app.auth.credentials import check_credentials
from mcp_app.protocol import plain
from mcp_app.protocol.errors import McpAppError
from mcp_app.protocol.event_id import parse_event_id
from mcp_app.protocol.http import accept, conditional, query_text, ranges, seal, sse, strict_json, trace
from mcp_app.protocol.http.media_type import is_valid
from mcp_app.protocol.http.uri_template import UriTemplate, normal
from mcp_app.protocol.mcp import header_value, jsonrpc, pagination
from mcp_app.protocol.mcp.meta_key import key_problem
from mcp_app.protocol.scopes import Hierarchy, read_scopes
from mcp_app.web import guard

from .examples import examples, time_bound

IN_SUITE = 200

pytestmark = pytest.mark.time_bound(time_bound(IN_SUITE))

TEMPLATE = UriTemplate.parse("notes://{number}/{name}")
SECRET = seal.derive_key("a secret of the proof")


def unsealed(text: str) -> Any:
    return seal.unseal(text, keys=[SECRET], principal="a", method="m", digest=b"d" * 32, now=0.0)


def page(cursor: str) -> Any:
    return pagination.paginate("abc", str, len, of="x", limit=1, cursor=cursor)


PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "a body of a call": (lambda text: plain.parse_call(text.encode()), '{ } [ ] "tool" "params" : , "a" 1 true null'),
    "a body of parameters": (lambda text: plain.parse_params(text.encode()), '{ } [ ] "a" : , 1e999 -0 \\ud800 "'),
    "a body that starts a run": (lambda text: plain.parse_start(text.encode()), '{ } "tool" : , "x" "cap_seconds" -1'),
    "a query": (lambda text: plain.parse_query(text.encode()), "tool= run= & = params= %7B %22 %ff %0 + ; a b"),
    "JSON": (lambda text: strict_json.loads(text.encode()), '{ } [ ] " \\u d800 : , 1 . e + - NaN \x00 \ufeff'),
    "JSON-RPC": (lambda text: jsonrpc.parse(text.encode()), '{ } [ ] "jsonrpc" "2.0" "id" "method" "params" : , 1 "a"'),
    "an event's id": (parse_event_id, "0 1 a f / - 00 0123456789abcdef"),
    "Accept": (accept.choose, 'text/event-stream application/json */* , ; q=0 q=1. q= " \\ * / ='),
    "If-None-Match": (lambda text: conditional.matches('"a"', text), '" a W/ , * \\ \x00'),
    "Range": (lambda text: ranges.asked_for(text, 100), "bytes= 0 - 99 , 100000000000000000000 \u0663"),
    "If-Range": (lambda text: ranges.applies(text, '"a"'), '" a W/ Mon'),
    "the trace": (lambda text: trace.extract_trace({"traceparent": text, "baggage": text}), "00 - a 01 = , ; %41 0"),
    "a value of a query": (query_text.parsed, '{ } [ ] " : , 1 true'),
    "a media type": (is_valid, 'text / plain ; charset = utf-8 "'),
    "a URI": (TEMPLATE.match, "notes:// / 1 %2F %2f .. % \u00e9 ? #"),
    "a URI's spelling": (normal, "HTTP:// a / %41 %zz [ ] : @"),
    "a mirrored value": (header_value.decode_value, "=?base64? ?= YQ== YR== \u00e9"),
    "a cursor": (page, "a b - _ = AAAA /"),
    "a key of _meta": (key_problem, "a . / - _ io.modelcontextprotocol/ \u0661"),
    "sealed state": (unsealed, "a b - _ AAAAAAAA = ."),
    "Authorization": (check_credentials, 'Bearer Basic , = " \\ token \t mcpk_'),
    "an API key": (keys.parse, "mcpk_ a B 0 _ -"),
    "scopes": (read_scopes, 'read write " \\ \x7f :'),
    "the hierarchy of scopes": (Hierarchy.read, "admin > write read , >"),
    "Origin": (guard._parse_origin, "http :// a.b : 80 [ ::1 ] @ / null \\ # 99999"),
    "Host": (guard._authority, "a . : 80 [ ::ffff:127.0.0.1 ] % _ -"),
    "an event stream": (
        lambda text: sse.Decoder().feed(text.encode()),
        "data: id: event: retry: : \n \r x \x00 \ufeff",
    ),
}
"""What is read -> by what, and the pieces that its grammar is made of."""


def texts(pieces: str) -> st.SearchStrategy[str]:
    """Of the grammar's pieces, separated or not, and of any characters."""
    grammar = st.sampled_from([*re.split(" +", pieces), " "])
    return st.one_of(
        st.lists(grammar, max_size=12).map("".join),
        st.lists(st.one_of(grammar, st.text(max_size=3)), max_size=12).map("".join),
        st.tuples(grammar, st.integers(0, 3000)).map(lambda many: many[0] * many[1]),
    ).filter(lambda text: not re.search("[\ud800-\udfff]", text))


@pytest.mark.parametrize("name", PARSERS)
def test_any_text_has_a_meaning_or_a_refusal(name: str) -> None:
    parse, pieces = PARSERS[name]

    allowed = (McpAppError, jsonrpc.RpcError, *((ValueError,) if name in RAISES_VALUE_ERROR else ()))

    @examples(IN_SUITE)
    @given(texts(pieces))
    def read(text: str) -> None:
        refused: Exception | None = None
        try:
            parse(text)
        except allowed as error:
            refused = error
        assert refused is None or 0 < len(str(refused)) < 2000

    read()


RAISES_VALUE_ERROR = {"a mirrored value", "scopes", "the hierarchy of scopes", "an event stream"}
"""Documented so: their caller says what was wrong where."""


def test_bytes_that_are_no_text_are_refused() -> None:
    for parse in (plain.parse_call, plain.parse_params, plain.parse_start, plain.parse_query, strict_json.loads):
        with pytest.raises(McpAppError):
            parse(b"\xff\xfe")
