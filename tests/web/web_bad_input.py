"""Strategies for what a careless or hostile client sends. Not a test; no test's expectations belong here."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

from hypothesis import strategies as st

NAMES = ("number", "ratio", "flag", "names", "numbers", "colour", "point", "table", "text")

nasty_text = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "\x00",
            "a\r\nb",
            "\u2028",
            "\ufeff",
            "../../etc/passwd",
            "%00",
            "{}",
            "null",
            "\u0663",
            "\uff11",
            "1e5",
            "NaN",
            "-0",
            "true",
            "<script>",
            "a" * 5000,
            "\U0010ffff",
            "\U0001f600",
            "' OR 1=1",
            "${jndi:x}",
            "\ud800",
        ]
    ),
)

numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**100, 10**308, -1, 0, 101]),
    st.floats(),
)

scalars = st.one_of(st.none(), st.booleans(), numbers, nasty_text)

values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(nasty_text, inner, max_size=4)),
    max_leaves=8,
)


def dumped(value: Any) -> bytes:
    """As a client with a lax encoder writes it: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


calls = st.fixed_dictionaries(
    {"tool": st.one_of(st.sampled_from(["echo", "typed", "write", "Echo", "echo\x00", "echo\r\n"]), values)},
    optional={
        "params": st.one_of(st.dictionaries(st.one_of(st.sampled_from(NAMES), nasty_text), values, max_size=4), values),
        "stream": st.one_of(st.just(False), values),
        "heartbeat": st.one_of(st.sampled_from(["event", "comment"]), values),
        "heartbeat_seconds": values,
        "cap_seconds": values,
        "extra": values,
    },
).map(dumped)  # fmt: skip

CRAFTED: tuple[bytes, ...] = (
    b"", b" ", b"\n", b"null", b"true", b"1", b'"echo"', b"[]", b"{}", b"{", b"}", b"\xff", b"\xef\xbb\xbf{}",
    b'{"tool":"echo"', b'{"tool":"echo",}', b"{'tool':'echo'}", b'{"tool":"echo"}{"tool":"echo"}',
    b'{"tool":"echo"}\x00', b'\x00{"tool":"echo"}', b'{"tool":"echo"} // x', b'{"tool":"ec\xffho"}',
    b'{"tool":"echo","tool":"typed"}', b'{"tool":"typed","params":{"number":1,"number":2}}',
    b'{"tool":"typed","params":{"number":1e999}}', b'{"tool":"typed","params":{"ratio":-1e999}}',
    b'{"tool":"typed","params":{"ratio":NaN}}', b'{"tool":"typed","params":{"ratio":Infinity}}',
    b'{"tool":"typed","params":{"number":' + b"9" * 400 + b"}}",
    b'{"tool":"typed","params":{"number":' + b"9" * 100_000 + b"}}",
    b'{"tool":"typed","params":{"ratio":' + b"9" * 400 + b"}}",
    b'{"tool":"typed","params":{"numbers":[[[1]]]}}', b'{"tool":"typed","params":{"names":[1]}}',
    b'{"tool":"typed","params":{"text":"\\ud800"}}', b'{"tool":"\\udfff"}', b'{"tool":"echo","params":[]}',
    b'{"tool":"echo","params":{"\\ud800":1}}', b'{"tool":"echo\\u0000"}', b'{"tool":null}', b'{"tool":["echo"]}',
    b'{"tool":"echo","params":{"text":1}}', b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 65 + b"]" * 65, b'{"tool":"echo","params":' * 2,
    b"[" * 65 + b'"' + b'\\"' * 100_000, b'{"tool":"' + b"x" * 500_000 + b'"}',
    b'{"tool":"typed","params":{"table":{' + b",".join(b'"%d":"x"' % n for n in range(20_000)) + b"}}}",
    b'{"tool":"echo","cap_seconds":0}', b'{"tool":"echo","cap_seconds":"1"}', b'{"tool":"echo","cap_seconds":true}',
    b'{"tool":"echo","heartbeat_seconds":-1}', b'{"tool":"echo","stream":"no"}', b'{"tool":"echo","stream":0}',
)  # fmt: skip
"""Each refused, for a reason of its own."""

bodies = st.one_of(st.sampled_from(CRAFTED), calls, values.map(dumped), st.binary(max_size=200))
"""Anything but a call that is sure to be right."""

mangled = st.tuples(calls, st.integers(0, 500), st.binary(min_size=1, max_size=3)).map(
    lambda parts: parts[0][: parts[1] % len(parts[0])] + parts[2] + parts[0][parts[1] % len(parts[0]) :]
)
"""A call with some bytes put in."""

queries = st.one_of(
    st.binary(max_size=60).map(lambda raw: b"tool=typed&" + raw),
    st.binary(max_size=60).map(lambda raw: b"tool=" + quote_from_bytes(raw).encode()),
    st.lists(
        st.tuples(
            st.sampled_from([*NAMES, "tool", "run", "heartbeat", "heartbeat_seconds", "cap_seconds", "params", "x"]),
            st.one_of(scalars.map(str), nasty_text, st.sampled_from(["typed", "echo", "k" * 16])),
        ),
        max_size=6,
    ).map(lambda pairs: b"tool=typed&" + urlencode(pairs, errors="surrogatepass").encode()),
)

header_values = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80),
    st.sampled_from(["", "*/*", "a/b;q=", '"', '"' * 5000, ";" * 5000, "," * 5000, "x" * 30_000, "\xe4\xff", "q=0"]),
)
"""What HTTP lets through: bytes beyond ASCII, but no control characters."""

header_names = st.sampled_from(
    ["accept", "content-type", "last-event-id", "origin", "sec-fetch-site", "if-none-match", "content-encoding",
     "content-language", "cookie", "authorization", "x-forwarded-for", "expect", "range", "user-agent", "prefer"]
)  # fmt: skip

header_fields = st.dictionaries(header_names, header_values, max_size=3)
