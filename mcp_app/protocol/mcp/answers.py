"""What a client is asked in the middle of a call, and what it answers: sampling, roots, elicitation.

Their shapes only; client/sampling, client/roots and client/elicitation of MCP say what they mean. Who asks, and
whether that client can be asked, is not known here.
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
    SAID,
    STRING,
    list_of,
    object_of,
    one_of,
    record,
    word,
)

_SCHEMA = {"$schema": STRING}
_HINTS = dict.fromkeys(("destructiveHint", "idempotentHint", "openWorldHint", "readOnlyHint"), BOOLEAN)
_TOOL = record(
    {"name": STRING, "inputSchema": record({"type": word("object")}, _SCHEMA)},
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
_ASKED_TO_SAMPLE = record(
    {"maxTokens": INTEGER, "messages": list_of(record({"content": SAID, "role": ROLE}, {"_meta": META}))},
    {
        "includeContext": word("allServers", "none", "thisServer"),
        "metadata": OBJECT,
        "modelPreferences": record({}, {"hints": list_of(record({}, {"name": STRING})), **_PRIORITIES}),
        "stopSequences": list_of(STRING),
        "systemPrompt": STRING,
        "temperature": NUMBER,
        "toolChoice": record({}, {"mode": word("auto", "none", "required")}),
        "tools": list_of(_TOOL),
    },
)

SAMPLED = record({"content": SAID, "model": STRING, "role": ROLE}, {"_meta": META, "stopReason": STRING})
"""`CreateMessageResult`."""

_FORM_VALUE = one_of(
    {"list[str]": list_of(STRING), "str": STRING, "int": INTEGER, "float": NUMBER, "bool": BOOLEAN},
)
ELICITED = record(
    {"action": word("accept", "cancel", "decline")},
    {"content": object_of(nullable_schema(_FORM_VALUE))},
)
"""`ElicitResult`."""


def _roots(uri: CoreSchema) -> CoreSchema:
    return list_of(record({"uri": uri}, {"_meta": META, "name": STRING}))


ROOTS = record({"roots": _roots(STRING)})
"""`ListRootsResult` in a request of 2026-07-28, whose schema has no `_meta` of its own there."""


@cache
def sampling_params() -> SchemaValidator:
    """Of `CreateMessageRequestParams`."""
    return SchemaValidator(_ASKED_TO_SAMPLE, {"title": "CreateMessageRequestParams"})


@cache
def sampling_result() -> SchemaValidator:
    """Of `CreateMessageResult`."""
    return SchemaValidator(SAMPLED, {"title": "CreateMessageResult"})


@cache
def roots_result() -> SchemaValidator:
    """Of `ListRootsResult`, as it is everywhere else: "This MUST be a file:// URI" (client/roots, Root)."""
    roots = _roots(url_schema(allowed_schemes=["file"]))
    return SchemaValidator(record({"roots": roots}, {"_meta": META}), {"title": "ListRootsResult"})
