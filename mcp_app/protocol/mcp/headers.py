"""Header fields that repeat members of the body: MCP 2026-07-28, basic/transports/streamable-http, "Request Metadata".

    Mcp-Method: tools/call                      method
    Mcp-Name: =?base64?5LiW55WM?=               params.name, params.uri or params.taskId
    Mcp-Param-Region: us-west1                  params.arguments, where the tool's schema says x-mcp-header

A proxy routes by the header fields and the server acts on the body: the two must agree ("Server Validation"). Headers
are a mapping of lower-case names to values, in which fields of the same name are joined by ", " (RFC 9110, 5.3). Which
revisions have these header fields, and whether a revision is supported, is not known here; a member that is missing in
the body is left to the validation of the method.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import ToolDefinitionError
from .header_value import FIELD_VALUE, decode_value, encode_value
from .jsonrpc import Code, RpcError, RpcRequest
from .tasks import EXTENSION_METHODS

ANNOTATION = "x-mcp-header"
"""The keyword of a property's schema whose value names the header field that repeats the argument."""

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
"""The member of `_meta` that MCP-Protocol-Version repeats."""

NAME_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "tools/call": "name",
        "prompts/get": "name",
        "resources/read": "uri",
        # Extension io.modelcontextprotocol/tasks, "Streamable HTTP: Routing Headers".
        "tasks/get": "taskId",
        "tasks/update": "taskId",
        "tasks/cancel": "taskId",
    }
)
"""Method -> the member of `params` that Mcp-Name repeats ("Standard Request Headers"). Other methods have no name."""

MAX_SAFE_INT = 2**53 - 1
"""The largest absolute value of a mirrored integer ("Schema Extension"): a proxy written in JavaScript would read a
larger one as a different number."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")  # values that neither trimming nor decoding changes
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?", re.ASCII)  # 2**53 has 16 digits


# --- a tool's annotations --------------------------------------------------------------------------------------------


class Mirror(NamedTuple):
    """One annotated property: `name` as annotated, `path` the property names from the arguments down to it."""

    name: str
    path: tuple[str, ...]

    @property
    def header(self) -> str:
        """The header field's name in its usual case."""
        return f"Mcp-Param-{self.name}"

    @property
    def where(self) -> str:
        """The path of the argument in the body."""
        return ".".join(("params.arguments", *self.path))


_Path = tuple[str, ...]

_TYPES = ("string", "integer", "boolean")

# Keywords of JSON Schema 2020-12 (and of draft-07, which authors still write) whose values are schemas. Other values
# are not searched: an x-mcp-header in a `default` or an `enum` is data.
_OF_SCHEMAS = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies"})
_OF_ONE_OR_MORE = frozenset(
    {"items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"}
    | {"additionalProperties", "propertyNames", "unevaluatedProperties", "contentSchema"}
    | {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
)


def mirrors(input_schema: Mapping[str, Any]) -> tuple[Mirror, ...]:
    """The annotated properties of a tool's input schema ("Schema Extension").

    Raises ToolDefinitionError naming the property and the rule for an invalid annotation: clients must exclude a tool
    that has one.
    """
    found: dict[str, Mirror] = {}
    for where, path, schema in _schemas(input_schema):
        if ANNOTATION not in schema:
            continue
        mirror = _mirror(where, path, schema)
        twin = found.setdefault(mirror.name.lower(), mirror)
        if twin is not mirror:
            raise ToolDefinitionError(
                f"{where}: {ANNOTATION} {mirror.name!r} is that of {'.'.join(twin.path)} too;"
                " header names are the same in any case of letters."
            )
    return tuple(found.values())


def _mirror(where: str, path: _Path | None, schema: Mapping[str, Any]) -> Mirror:
    name, kind = schema[ANNOTATION], schema.get("type")
    if not path:
        raise ToolDefinitionError(
            f"{where}: {ANNOTATION} may stand only where nothing but `properties` leads,"
            " not in items, combinations, conditions, definitions or the schema itself."
        )
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ToolDefinitionError(f"{where}: {ANNOTATION} {name!r} is not a header name (RFC 9110, 5.6.2 token).")
    if kind not in _TYPES:  # a list of types, as for nullable, is rejected by existing clients as well
        raise ToolDefinitionError(
            f"{where}: {ANNOTATION} needs one type of string, integer or boolean, not {kind!r}. A parameter that may"
            " be left out needs no null: the header is left out with it."
        )
    return Mirror(name, path)


def _schemas(root: Mapping[str, Any]) -> Iterator[tuple[str, _Path | None, Mapping[str, Any]]]:
    """All nested schemas: location, property names from the root (None if anything but `properties` is in between),
    schema."""
    queue: list[tuple[str, _Path | None, Any]] = [("input schema", (), root)]
    for where, path, schema in queue:  # the loop body appends to it
        if not isinstance(schema, Mapping):
            continue  # true and false are schemas, too
        yield where, path, schema
        for keyword, value in schema.items():
            inner = f"{where}.{keyword}"
            if keyword == "properties" and isinstance(value, Mapping):
                queue.extend(
                    (f"{inner}.{name}", None if path is None else (*path, name), each) for name, each in value.items()
                )
            elif keyword in _OF_SCHEMAS and isinstance(value, Mapping):
                queue.extend((f"{inner}.{name}", None, each) for name, each in value.items())
            elif keyword in _OF_ONE_OR_MORE:
                queue.extend((inner, None, each) for each in (value if isinstance(value, list) else [value]))


# --- a request's headers ---------------------------------------------------------------------------------------------


def check_request(headers: Mapping[str, str], request: RpcRequest) -> None:
    """Check that MCP-Protocol-Version, Mcp-Method and Mcp-Name are present and match the body.

    Raises RpcError with HEADER_MISMATCH. Not for a member that the body lacks: its validation answers INVALID_PARAMS.
    """
    meta = request.params.get("_meta")
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    _check(headers, request, "MCP-Protocol-Version", f"params._meta.{VERSION_KEY}", version, encoded=False)
    _check(headers, request, "Mcp-Method", "method", request.method, encoded=False)
    member = NAME_FIELDS.get(request.method)
    # The extension requires clients to send the name, for routing, but not servers to reject its absence;
    # fastmcp-tasks 4.1.2, the only Python client that supports tasks, omits it. One that differs is rejected.
    omitted = request.method in EXTENSION_METHODS and "mcp-name" not in headers
    if member is not None and isinstance(request.params.get(member), str) and not omitted:
        _check(headers, request, "Mcp-Name", f"params.{member}", request.params.get(member), encoded=True)


def _check(
    headers: Mapping[str, str], request: RpcRequest, header: str, where: str, expected: object, *, encoded: bool
) -> None:
    raw = headers.get(header.lower())
    if raw is None:
        raise _mismatch(request, header, where, f"{header} header is missing; it repeats {where}", _STANDARD_HINT)
    if raw == expected and _PLAIN.fullmatch(raw):
        return  # nearly all requests: no white space to strip, nothing to decode
    value = _decoded(raw, header, where, request, encoded=encoded)
    if isinstance(expected, str) and value != expected:
        raise _different(request, header, where, value, expected, _STANDARD_HINT)


def check_arguments(headers: Mapping[str, str], request: RpcRequest, mirrored: tuple[Mirror, ...]) -> None:
    """Check that the Mcp-Param header fields of a tools/call match its arguments; `mirrored` are the tool's mirrors.

    A header field without an argument is rejected like one that differs: a proxy has acted on a value that is not in
    the body. Other Mcp-Param header fields are ignored ("Server Behavior for Custom Headers").

    Raises RpcError with HEADER_MISMATCH.
    """
    arguments = request.params.get("arguments")
    for mirror in mirrored:
        raw, value = headers.get(mirror.header.lower()), _value_at(arguments, mirror.path)
        if value is None:  # null counts as absent
            if raw is not None:
                problem = f"{mirror.header} header is present but {mirror.where} is absent or null"
                raise _mismatch(request, mirror.header, mirror.where, problem, _PARAM_HINT)
        elif isinstance(value, dict | list):
            # The schema has one of _TYPES here and rejects the value with a better message; no header field can repeat
            # it.
            if raw is not None:
                raise _different(request, mirror.header, mirror.where, raw, value, _PARAM_HINT)
        else:
            _check_argument(request, mirror, raw, value)


def _check_argument(request: RpcRequest, mirror: Mirror, raw: str | None, value: object) -> None:
    if type(value) is int and abs(value) > MAX_SAFE_INT:
        problem = f"{mirror.where} is an integer beyond ±(2^53-1), which {mirror.header} cannot repeat"
        raise _mismatch(request, mirror.header, mirror.where, problem, _PARAM_HINT)
    if raw is None:
        problem = f"{mirror.header} header is missing but {mirror.where} is present"
        raise _mismatch(request, mirror.header, mirror.where, problem, _PARAM_HINT)
    text = _decoded(raw, mirror.header, mirror.where, request, encoded=True)
    if not _equal(text, value):
        raise _different(request, mirror.header, mirror.where, text, value, _PARAM_HINT)


def _equal(text: str, value: object) -> bool:
    """ "Value Encoding", type conversion; numbers are compared as such ("Server Validation": 42.0 and 42 are equal)."""
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int | float):
        return _DECIMAL.fullmatch(text) is not None and Decimal(text) == Decimal(repr(value))
    return text == value


def _value_at(arguments: object, path: _Path) -> object:
    for name in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(name)
    return arguments


def _decoded(raw: str, header: str, where: str, request: RpcRequest, *, encoded: bool) -> str:
    """The field's value: white space stripped (RFC 9110, 5.5), and decoded where the field may be encoded."""
    value = raw.strip(" \t")
    if not FIELD_VALUE.fullmatch(value):
        problem = f"{header} header has characters other than visible ASCII, space and tab"
        raise _mismatch(request, header, where, problem, _ENCODING_HINT)
    if not encoded:
        return value
    try:
        return decode_value(value)
    except ValueError as error:
        raise _mismatch(request, header, where, f"{header} header {error}", _ENCODING_HINT) from None


def mirrored_values(mirrored: Iterable[Mirror], arguments: object) -> dict[str, str]:
    """The Mcp-Param header fields of a tools/call with these arguments: none for one that is absent, null, or a list or
    an object, which no field can repeat ("Value Encoding", type conversion)."""
    fields = {}
    for mirror in mirrored:
        value = _value_at(arguments, mirror.path)
        if isinstance(value, bool):
            fields[mirror.header] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            fields[mirror.header] = encode_value(str(value))
    return fields


# --- refusals --------------------------------------------------------------------------------------------------------

_STANDARD_HINT = "Repeat method, params._meta's protocol version and the name, uri or taskId in their headers."
_PARAM_HINT = "Call tools/list: the tool's inputSchema says by x-mcp-header which arguments go into which headers."
_ENCODING_HINT = (
    "Send other values than plain ASCII as =?base64?…?= around the base64 of their UTF-8, padding included."
)


def _different(request: RpcRequest, header: str, where: str, text: str, value: object, hint: str) -> RpcError:
    problem = f"{header} header value {_quoted(text)} does not match body value {_quoted(value)} at {where}"
    return _mismatch(request, header, where, problem, hint)


def _mismatch(request: RpcRequest, header: str, where: str, problem: str, hint: str) -> RpcError:
    message = f"Header mismatch: {problem}"
    data = {
        "code": "header_mismatch",
        "message": message,
        "hint": hint,
        "details": [{"field": where, "problem": f"not what the header {header} says"}],
    }
    return RpcError(Code.HEADER_MISMATCH, message, id=request.id, data=data)


def _quoted(value: object) -> str:
    """Quoted, in ASCII, and truncated: a name may be as long as a body."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
