"""Schemas of the requests that a server sends to a client during a call, and of their results.

Their meaning is in MCP's client/sampling, client/roots and client/elicitation. The sender, and whether the client
declared the capability, are not known here.
"""

from __future__ import annotations

from functools import cache

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import CoreSchema, nullable_schema, url_schema

from .shapes import (
    BOOLEAN,
    ICON,
    INTEGER,
    META,
    NUMBER,
    OBJECT,
    PROPORTION,
    ROLE,
    SAMPLING_CONTENT,
    STRING,
    list_of,
    literal,
    object_of,
    one_of,
    record,
)

_SCHEMA = {"$schema": STRING}
_HINTS = dict.fromkeys(("destructiveHint", "idempotentHint", "openWorldHint", "readOnlyHint"), BOOLEAN)
_TOOL = record(
    {"name": STRING, "inputSchema": record({"type": literal("object")}, _SCHEMA)},
    {
        "_meta": META,
        "annotations": record({}, {"title": STRING, **_HINTS}),
        "description": STRING,
        "icons": list_of(ICON),
        "outputSchema": record({}, _SCHEMA),
        "title": STRING,
    },
)
_PRIORITIES = dict.fromkeys(("costPriority", "intelligencePriority", "speedPriority"), PROPORTION)
_SAMPLING_PARAMS = record(
    {"maxTokens": INTEGER, "messages": list_of(record({"content": SAMPLING_CONTENT, "role": ROLE}, {"_meta": META}))},
    {
        "includeContext": literal("allServers", "none", "thisServer"),
        "metadata": OBJECT,
        "modelPreferences": record({}, {"hints": list_of(record({}, {"name": STRING})), **_PRIORITIES}),
        "stopSequences": list_of(STRING),
        "systemPrompt": STRING,
        "temperature": NUMBER,
        "toolChoice": record({}, {"mode": literal("auto", "none", "required")}),
        "tools": list_of(_TOOL),
    },
)

CREATE_MESSAGE_RESULT = record(
    {"content": SAMPLING_CONTENT, "model": STRING, "role": ROLE}, {"_meta": META, "stopReason": STRING}
)
"""`CreateMessageResult`."""

_FORM_VALUE = one_of(
    {"list[str]": list_of(STRING), "str": STRING, "int": INTEGER, "float": NUMBER, "bool": BOOLEAN},
)
ELICIT_RESULT = record(
    {"action": literal("accept", "cancel", "decline")},
    {"content": object_of(nullable_schema(_FORM_VALUE))},
)
"""`ElicitResult`."""


def _roots(uri: CoreSchema) -> CoreSchema:
    return list_of(record({"uri": uri}, {"_meta": META, "name": STRING}))


LIST_ROOTS_RESULT = record({"roots": _roots(STRING)})
"""`ListRootsResult` in a request of 2026-07-28, where its schema has no `_meta`."""


@cache
def sampling_params() -> SchemaValidator:
    """The validator of `CreateMessageRequestParams`."""
    return SchemaValidator(_SAMPLING_PARAMS, {"title": "CreateMessageRequestParams"})


@cache
def sampling_result() -> SchemaValidator:
    """The validator of `CreateMessageResult`."""
    return SchemaValidator(CREATE_MESSAGE_RESULT, {"title": "CreateMessageResult"})


@cache
def roots_result() -> SchemaValidator:
    """The validator of `ListRootsResult` as a response: "This MUST be a file:// URI" (client/roots, Root)."""
    roots = _roots(url_schema(allowed_schemes=["file"]))
    return SchemaValidator(record({"roots": roots}, {"_meta": META}), {"title": "ListRootsResult"})
