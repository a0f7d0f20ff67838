"""MCP 2026-07-28, streamable-http, Request Metadata and Server Validation: headers that repeat the body."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.errors import ToolDefinitionError
from mcp_app.protocol.mcp.headers import (
    MAX_SAFE_INT,
    NAME_FIELDS,
    VERSION_KEY,
    Mirror,
    check_arguments,
    check_request,
    decode_value,
    mirrors,
)
from mcp_app.protocol.mcp.jsonrpc import Code, RpcError, RpcRequest

VERSION = "2026-07-28"


def encode_value(value: str) -> str:
    """What a client does ("Value Encoding"), from the specification's words."""
    plain = all(each == "\t" or " " <= each <= "~" for each in value)
    looks_encoded = value.startswith("=?base64?") and value.endswith("?=")
    if plain and value == value.strip() and not looks_encoded:
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def request(method: str = "tools/call", version: Any = VERSION, **params: Any) -> RpcRequest:
    return RpcRequest(7, method, {**params, "_meta": {VERSION_KEY: version}})


def headers(method: str = "tools/call", name: str | None = None, **more: str) -> dict[str, str]:
    sent = {"mcp-protocol-version": VERSION, "mcp-method": method, **more}
    return sent if name is None else {**sent, "mcp-name": name}


def refusal(sent: dict[str, str], asked: RpcRequest, mirrored: tuple[Mirror, ...] = ()) -> RpcError:
    with pytest.raises(RpcError) as caught:
        check_request(sent, asked)
        check_arguments(sent, asked, mirrored)
    problem = caught.value
    assert (problem.code, problem.id, problem.status) == (Code.HEADER_MISMATCH, 7, 400)
    assert problem.message.startswith("Header mismatch: ")
    assert problem.data["code"] == "header_mismatch"
    assert problem.data["message"] == problem.message
    assert problem.data["hint"]
    return problem


# --- values ----------------------------------------------------------------------------------------------------------

# The table of "Value Encoding": the header's value, and the original one.
ENCODED = [
    ("us-west1", "us-west1"),
    ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
    ("=?base64?IHBhZGRlZCA=?=", " padded "),
    ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
    ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
]


@pytest.mark.parametrize(("sent", "original"), ENCODED)
def test_the_table_of_the_specification(sent: str, original: str) -> None:
    assert decode_value(sent) == original
    assert encode_value(original) == sent


@pytest.mark.parametrize(
    "literal",
    # Markers are case-sensitive and stand at both ends; what lacks one is a value like any other.
    ["SGVsbG8=", "=?base64?SGVsbG8=", "SGVsbG8=?=", "=?BASE64?SGVsbG8=?=", "=?base64?=", "x=?base64?SGVsbG8=?=", ""],
)
def test_a_literal(literal: str) -> None:
    assert decode_value(literal) == literal


def test_nothing_encoded_is_nothing() -> None:
    assert decode_value("=?base64??=") == ""


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("=?base64?SGVsbG8?=", "padding"),
        ("=?base64?SGVs!!!bG8=?=", "not base64"),
        ("=?base64?SGVsbG8==?=", "not base64"),
        ("=?base64?SGVsbG8=SGVs?=", "not base64"),
        ("=?base64?SGVs bG8=?=", "not base64"),
        ("=?base64? SGVsbG8=?=", "not base64"),
        ("=?base64?====?=", "not base64"),
        ("=?base64?S?=", "padding"),
        ("=?base64?4-_4?=", "not base64"),  # the URL-safe alphabet is another one (RFC 4648, 5)
        ("=?base64?literal?=", "padding"),
        ("=?base64?SGVsbG9=?=", "unused bits"),
        ("=?base64?/w==?=", "UTF-8"),
        ("=?base64?7aCA?=", "UTF-8"),  # half of a surrogate pair
        ("=?base64?wIA=?=", "UTF-8"),  # an overlong NUL
    ],
)
def test_what_is_not_strictly_base64_of_utf_8(sent: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_value(sent)


@given(st.text())
def test_every_value_comes_through(value: str) -> None:
    assert decode_value(encode_value(value)) == value


@given(st.text(alphabet="SGVsbG8=/+ -?", max_size=12))
def test_no_two_encoded_headers_say_the_same(inner: str) -> None:
    sent = f"=?base64?{inner}?="
    try:
        value = decode_value(sent)
    except ValueError:
        return
    assert base64.b64encode(value.encode()).decode() == inner


# --- the standard headers --------------------------------------------------------------------------------------------

SAME = {
    "the first example": (headers(name="get_weather"), request(name="get_weather", arguments={"location": "Seattle"})),
    "the second example": (
        headers("resources/read", "file:///projects/myapp/config.json"),
        request("resources/read", uri="file:///projects/myapp/config.json"),
    ),
    "no name is needed": (headers("tools/list"), request("tools/list")),
    "a name is nobody's business": (headers("tools/list", "x"), request("tools/list")),
    "white space around": (headers("\ttools/call ", "  add  "), request(name="add")),
    "white space around the version": ({**headers(name="a"), "mcp-protocol-version": f" {VERSION}"}, request(name="a")),
    "an encoded name": (headers(name="=?base64?5LiW55WM?="), request(name="世界")),
    "an encoded name that need not be": (headers(name="=?base64?YWRk?="), request(name="add")),
    "an encoded name with white space": (headers(name="=?base64?IGFkZCA=?="), request(name=" add ")),
    "a uri with a comma": (headers("resources/read", "test://a,b"), request("resources/read", uri="test://a,b")),
    # The body's own mistakes, which its reader names: INVALID_PARAMS, not a mismatch.
    "no version in the body": (headers("tools/list"), RpcRequest(7, "tools/list", {})),
    "no version in _meta": (headers("tools/list"), RpcRequest(7, "tools/list", {"_meta": {}})),
    "a version that is no string": (headers("tools/list"), request("tools/list", version=1)),
    "_meta that is no object": (headers("tools/list"), RpcRequest(7, "tools/list", {"_meta": "x"})),
    "no name in the body": (headers(name="add"), request()),
    "no name anywhere": (headers(), request()),
    "a name that is no string": (headers(name="7"), request(name=7)),
}


@pytest.mark.parametrize(("sent", "asked"), SAME.values(), ids=SAME)
def test_headers_that_say_what_the_body_says(sent: dict[str, str], asked: RpcRequest) -> None:
    check_request(sent, asked)


OTHER = {
    "no version": ({"mcp-method": "tools/list"}, request("tools/list"), "MCP-Protocol-Version"),
    "another version": (headers("tools/list"), request("tools/list", version="v999.0.0"), "MCP-Protocol-Version"),
    "an empty version": ({**headers("tools/list"), "mcp-protocol-version": ""}, request("tools/list"), "MCP-Protocol"),
    "an encoded version": (
        {**headers("tools/list"), "mcp-protocol-version": "=?base64?MjAyNi0wNy0yOA==?="},
        request("tools/list"),
        "MCP-Protocol-Version",
    ),
    "no method": ({"mcp-protocol-version": VERSION, "mcp-name": "add"}, request(name="add"), "Mcp-Method"),
    "another method": (headers("prompts/get", "add"), request(name="add"), "Mcp-Method"),
    "a method in another case": (headers("TOOLS/CALL", "add"), request(name="add"), "Mcp-Method"),
    "an encoded method": (headers("=?base64?dG9vbHMvY2FsbA==?=", "add"), request(name="add"), "Mcp-Method"),
    "a method twice": (headers("tools/call, tools/call", "add"), request(name="add"), "Mcp-Method"),
    "no name": (headers(), request(name="add"), "Mcp-Name"),
    "another name": (headers(name="foo"), request(name="bar"), "Mcp-Name"),
    "a name in another case": (headers(name="ADD"), request(name="add"), "Mcp-Name"),
    "a name with spaces that were not encoded": (headers(name=" add "), request(name=" add "), "Mcp-Name"),
    "a name in latin-1": (headers(name="\xe9t\xe9"), request(name="\xe9t\xe9"), "Mcp-Name"),
    "a control character": (headers(name="a\x7fb"), request(name="a\x7fb"), "Mcp-Name"),
    "a line end": (headers(name="a\r\nb"), request(name="a\r\nb"), "Mcp-Name"),
    "a no-break space": (headers(name="\xa0add"), request(name="add"), "Mcp-Name"),
    "an encoded name without padding": (headers(name="=?base64?YWQ?="), request(name="ad"), "Mcp-Name"),
    "a literal that looks encoded": (headers(name="=?base64?xyz?="), request(name="=?base64?xyz?="), "Mcp-Name"),
    "another decomposition of a letter": (headers(name="=?base64?w6k=?="), request(name="e\u0301"), "Mcp-Name"),
}


@pytest.mark.parametrize(("sent", "asked", "header"), OTHER.values(), ids=OTHER)
def test_headers_that_say_something_else(sent: dict[str, str], asked: RpcRequest, header: str) -> None:
    problem = refusal(sent, asked)
    assert header in problem.message
    assert problem.data["details"][0]["problem"].startswith(f"not what the header {header}")


def test_the_message_is_that_of_the_specification_and_says_where() -> None:
    problem = refusal(headers(name="foo"), request(name="bar"))
    assert (
        problem.message == "Header mismatch: Mcp-Name header value 'foo' does not match body value 'bar' at params.name"
    )
    assert problem.data["details"][0]["field"] == "params.name"


def test_a_long_value_is_shown_in_part() -> None:
    problem = refusal(headers(name="a" * 1000), request(name="b" * 1000))
    assert len(problem.message) < 300


@pytest.mark.parametrize(("method", "member"), NAME_FIELDS.items())
def test_the_name_of_each_method(method: str, member: str) -> None:
    check_request(headers(method, "x1"), request(method, **{member: "x1"}))
    assert f"params.{member}" in refusal(headers(method, "x2"), request(method, **{member: "x1"})).message
    without = headers(method), request(method, **{member: "x1"})
    if member == "taskId":
        check_request(*without)  # asked of clients, not of servers to refuse; a client in use leaves it out
    else:
        assert f"params.{member}" in refusal(*without).message


def test_the_methods_that_have_a_name() -> None:
    assert set(NAME_FIELDS) == {
        *("tools/call", "prompts/get", "resources/read"),
        *("tasks/get", "tasks/update", "tasks/cancel"),
    }


# --- arguments -------------------------------------------------------------------------------------------------------

REGION = Mirror("Region", ("region",))
LIMIT = Mirror("Limit", ("options", "limit"))


def call(arguments: Any) -> RpcRequest:
    return request(name="t", arguments=arguments)


def with_param(value: str | None, name: str = "region") -> dict[str, str]:
    sent = headers(name="t")
    return sent if value is None else {**sent, f"mcp-param-{name}": value}


# What is sent in Mcp-Param-Region, and the argument `region`: the conformance suite's cases, and the specification's.
REPEATED = {
    "plain": ("us-west1", "us-west1"),
    "white space around": ("  us-west1  ", "us-west1"),
    "encoded": ("=?base64?SGVsbG8=?=", "Hello"),
    "base64 that is meant literally": ("SGVsbG8=", "SGVsbG8="),
    "a beginning without its end": ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
    "empty": ("", ""),
    "empty, encoded": ("=?base64??=", ""),
    "a tab within": ("a\tb", "a\tb"),
    "true": ("true", True),
    "false": ("false", False),
    "an integer": ("42", 42),
    "a negative integer": ("-7", -7),
    "zero": ("0", 0),
    "an integer, encoded": ("=?base64?NDI=?=", 42),
    "an integer with a fraction of zero": ("42.0", 42),
    "an integer that the body has as a float": ("42", 42.0),
    "the largest": (str(MAX_SAFE_INT), MAX_SAFE_INT),
    "the smallest": (str(-MAX_SAFE_INT), -MAX_SAFE_INT),
    "a number of another type than the schema's": ("4.5", 4.5),
    "a string of digits": ("042", "042"),
    "null": (None, None),
    **{f"the table: {original!r}": (sent, original) for sent, original in ENCODED},
}


@pytest.mark.parametrize(("sent", "value"), REPEATED.values(), ids=REPEATED)
def test_an_argument_that_is_repeated(sent: str | None, value: Any) -> None:
    check_arguments(with_param(sent), call({"region": value}), (REGION,))


NOT_REPEATED = {
    "missing": (None, "us-west1"),
    "missing for an empty one": (None, ""),
    "missing for false": (None, False),
    "missing for zero": (None, 0),
    "another value": ("eu", "us"),
    "another case": ("US", "us"),
    "padding is missing": ("=?base64?SGVsbG8?=", "Hello"),
    "foreign characters": ("=?base64?SGVs!!!bG8=?=", "Hello"),
    "encoded, and another": ("=?base64?SGVsbG8=?=", "Hallo"),
    "a literal that must be encoded": ("=?base64?literal?=", "=?base64?literal?="),
    "not encoded": ("Hello, 世界", "Hello, 世界"),
    "UTF-8 read as latin-1": ("世".encode().decode("latin-1"), "世"),
    "a control character": ("a\x00b", "a\x00b"),
    "True": ("True", True),
    "1 for true": ("1", True),
    "true for 1": ("true", 1),
    "empty for false": ("", False),
    "another integer": ("43", 42),
    "a fraction": ("42.5", 42),
    "an exponent": ("4.2e1", 42),
    "a plus": ("+42", 42),
    "a leading zero": ("042", 42),
    "hexadecimal": ("0x2a", 42),
    "an underscore": ("4_2", 42),
    "digits of another script": ("٤٢", 42),
    "half of it": ("42", 425),
    "rounded to a float": ("9007199254740992", MAX_SAFE_INT),
    "beyond the safe range": (str(MAX_SAFE_INT + 1), MAX_SAFE_INT + 1),
    "beyond the safe range, and missing": (None, -MAX_SAFE_INT - 1),
    "digits for text": ("42.0", "42"),
    "present for null": ("null", None),
    "present for an array": ("a", ["a"]),
    "present for an object": ("{}", {}),
    "a header twice": ("us, us", "us"),
}


@pytest.mark.parametrize(("sent", "value"), NOT_REPEATED.values(), ids=NOT_REPEATED)
def test_an_argument_that_is_not_repeated(sent: str | None, value: Any) -> None:
    problem = refusal(with_param(sent), call({"region": value}), (REGION,))
    assert "Mcp-Param-Region" in problem.message
    assert problem.data["details"][0]["field"] == "params.arguments.region"


def test_an_argument_that_is_absent() -> None:
    for arguments in ({}, {"other": 1}, None, "no object", []):
        check_arguments(with_param(None), call(arguments), (REGION,))
        assert "absent" in refusal(with_param("us"), call(arguments), (REGION,)).message
    without = request(name="t")
    check_arguments(with_param(None), without, (REGION,))
    assert "absent" in refusal(with_param("us"), without, (REGION,)).message


def test_a_value_that_no_header_can_carry_is_left_to_the_schema() -> None:
    check_arguments(with_param(None), call({"region": ["us"]}), (REGION,))


def test_a_nested_argument() -> None:
    sent = with_param("5", "limit")
    check_arguments(sent, call({"options": {"limit": 5}}), (LIMIT,))
    assert "params.arguments.options.limit" in refusal(sent, call({"options": {"limit": 6}}), (LIMIT,)).message
    for elsewhere in ({"limit": 5}, {"options": 5}, {"options": [5]}, {"options": None}, {"options.limit": 5}):
        check_arguments(with_param(None), call(elsewhere), (LIMIT,))
        assert "absent" in refusal(sent, call(elsewhere), (LIMIT,)).message


def test_headers_of_nobody_are_left_alone() -> None:
    sent = {**with_param("us"), "mcp-param-other": "\x00"}
    check_arguments(sent, call({"region": "us", "other": "x"}), (REGION,))


def test_all_arguments_are_looked_at() -> None:
    sent = {**with_param("us"), "mcp-param-limit": "4"}
    arguments = {"region": "us", "options": {"limit": 5}}
    assert "Mcp-Param-Limit" in refusal(sent, call(arguments), (REGION, LIMIT)).message


@given(st.text() | st.booleans() | st.integers(-MAX_SAFE_INT, MAX_SAFE_INT))
def test_what_a_client_repeats_is_what_was_sent(value: str | bool | int) -> None:
    text = value if isinstance(value, str) else str(value).lower()
    check_arguments(with_param(encode_value(text)), call({"region": value}), (REGION,))


@given(st.text(), st.text())
def test_two_texts_are_the_same_only_when_they_are(sent: str, value: str) -> None:
    asked, said = call({"region": value}), with_param(encode_value(sent))
    if sent == value:
        check_arguments(said, asked, (REGION,))
    else:
        refusal(said, asked, (REGION,))


# --- annotations -----------------------------------------------------------------------------------------------------


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def annotated(name: Any = "Region", kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"type": kind, "x-mcp-header": name, **more}


def test_the_example_of_the_specification() -> None:
    example = schema(region=annotated(description="The region"), query={"type": "string"})
    assert mirrors({**example, "required": ["region", "query"]}) == (REGION,)
    assert REGION.header == "Mcp-Param-Region"


def test_annotations_at_any_depth_of_properties() -> None:
    options = schema(limit=annotated("Limit", "integer"), deep=schema(dry=annotated("Dry-Run", "boolean")))
    assert mirrors(schema(options=options, region=annotated())) == (
        REGION,
        LIMIT,
        Mirror("Dry-Run", ("options", "deep", "dry")),
    )


@pytest.mark.parametrize("token", ["a", "9", "!#$%&'*+-.^_`|~", "x" * 200])
def test_every_token_is_a_name(token: str) -> None:
    assert mirrors(schema(a=annotated(token)))[0].name == token


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": "object"},
        # Data, not schemas.
        schema(a={"type": "object", "default": {"x-mcp-header": "Region"}}),
        schema(a={"enum": [{"x-mcp-header": "Region"}]}),
        schema(a={"const": {"x-mcp-header": "Region"}}),
        schema(a={"examples": [{"x-mcp-header": "Region"}]}),
        # A property of that name.
        schema(**{"x-mcp-header": {"type": "string"}}),
        # Schemas that are no objects.
        schema(a=True, b={"items": False}),
        {"properties": {"a": {"dependencies": {"b": ["c"]}}}},
    ],
)
def test_a_schema_without_annotations(value: dict[str, Any]) -> None:
    assert mirrors(value) == ()


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:b", "a\r\nb", "a\x00", "a/b", "(a)", "é", "a,", "a\n", 7, None, True, ["a"], {}]
)
def test_a_name_that_is_no_token(name: Any) -> None:
    with pytest.raises(ToolDefinitionError, match=r"properties\.region: x-mcp-header .* is not a header name"):
        mirrors(schema(region=annotated(name)))


@pytest.mark.parametrize("kind", ["number", "object", "array", "null", None, ["string"], ["string", "null"], "String"])
def test_a_type_that_cannot_be_repeated(kind: Any) -> None:
    with pytest.raises(
        ToolDefinitionError, match=r"properties\.region: x-mcp-header needs one type of string, integer"
    ):
        mirrors(schema(region=annotated(kind=kind)))


def test_a_property_without_type() -> None:
    # As pydantic writes `str | None`: clients in use refuse the tool as well.
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}], "x-mcp-header": "Region"}
    with pytest.raises(ToolDefinitionError, match="needs one type"):
        mirrors(schema(region=optional))


@pytest.mark.parametrize("other", ["Region", "region", "REGION"])
def test_a_name_twice_in_any_case(other: str) -> None:
    with pytest.raises(ToolDefinitionError, match=r"input schema\.properties\.o\.properties\.b: .* that of region too"):
        mirrors(schema(region=annotated("Region"), o=schema(b=annotated(other, "integer"))))


ONE = ("additionalProperties", "additionalItems", "contains", "contentSchema", "else", "if", "items", "not")
TWO = ("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
MAPS = ("$defs", "definitions", "dependentSchemas", "dependencies", "patternProperties")


@pytest.mark.parametrize(
    "around",
    [
        *({each: annotated()} for each in ONE + TWO),
        *({each: [True, annotated()]} for each in LISTS),
        *({each: {"x": annotated()}} for each in MAPS),
        # Once out of the chain of properties, no property leads back.
        *({each: schema(region=annotated())} for each in ONE + TWO),
        *({each: [schema(region=annotated())]} for each in LISTS),
        *({each: {"x": schema(region=annotated())}} for each in MAPS),
        annotated(),  # the schema itself
    ],
    ids=lambda around: ".".join(around),
)
@pytest.mark.parametrize("deep", [False, True], ids=["root", "in a property"])
def test_an_annotation_elsewhere(around: dict[str, Any], deep: bool) -> None:
    if deep and "type" in around:
        return  # in a property it is right
    with pytest.raises(ToolDefinitionError, match="nothing but `properties` leads"):
        mirrors(schema(a=around) if deep else around)


def test_a_schema_as_deep_as_one_may_be() -> None:
    deep: dict[str, Any] = annotated()
    for _ in range(1500):
        deep = schema(a=deep)
    assert len(mirrors(deep)[0].path) == 1500
