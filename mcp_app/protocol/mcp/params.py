"""Schemas of the parameters of every request that a client can send, for each revision. No request is handled here.

Methods of extensions are missing: they are not in a revision's schema. The schemas are built from those in shapes.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import CoreSchema

from .answers import CREATE_MESSAGE_RESULT, ELICIT_RESULT, LIST_ROOTS_RESULT
from .headers import VERSION_KEY
from .shapes import (
    BOOLEAN,
    IMPLEMENTATION,
    INTEGER,
    LEVEL,
    OBJECT,
    STRING,
    Shapes,
    list_of,
    literal,
    object_of,
    one_of,
    record,
)

CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
"""Members of `_meta`, like VERSION_KEY (2026-07-28, basic, `_meta`): SERVER_INFO_KEY of results, the others of
requests."""

_TOKEN = one_of({"str": STRING, "int": INTEGER})
_OBJECTS = object_of(OBJECT)
_TEXTS = object_of(STRING)
_FORM_AND_URL = record({}, {"form": OBJECT, "url": OBJECT})
_SAMPLING = record({}, {"context": OBJECT, "tools": OBJECT})

# --- members of every request's params -------------------------------------------------------------------------------

_CAPABILITIES = record(
    {},
    {
        "elicitation": _FORM_AND_URL,
        "experimental": _OBJECTS,
        "extensions": _OBJECTS,
        "roots": OBJECT,
        "sampling": _SAMPLING,
    },
)
_META = record(
    {VERSION_KEY: STRING, CLIENT_CAPABILITIES_KEY: _CAPABILITIES},
    {CLIENT_INFO_KEY: IMPLEMENTATION, LOG_LEVEL_KEY: LEVEL, "progressToken": _TOKEN},
)

_SESSION_TASKS = record(
    {},
    {
        "cancel": OBJECT,
        "list": OBJECT,
        "requests": record(
            {}, {"elicitation": record({}, {"create": OBJECT}), "sampling": record({}, {"createMessage": OBJECT})}
        ),
    },
)
_SESSION_CAPABILITIES = record(
    {},
    {
        "elicitation": _FORM_AND_URL,
        "experimental": _OBJECTS,
        "roots": record({}, {"listChanged": BOOLEAN}),
        "sampling": _SAMPLING,
        "tasks": _SESSION_TASKS,
    },
)
_SESSION_META = record({}, {"progressToken": _TOKEN})


def _params(required: Shapes | None = None, optional: Shapes | None = None) -> CoreSchema:
    return record({"_meta": _META, **(required or {})}, optional)


def _session_params(required: Shapes | None = None, optional: Shapes | None = None) -> CoreSchema:
    return record(required or {}, {"_meta": _SESSION_META, **(optional or {})})


# --- the methods -----------------------------------------------------------------------------------------------------

_PAGE = {"cursor": STRING}
_COMPLETE = {
    "argument": record({"name": STRING, "value": STRING}),
    "ref": one_of(
        {
            "PromptReference": record({"type": literal("ref/prompt"), "name": STRING}, {"title": STRING}),
            "ResourceTemplateReference": record({"type": literal("ref/resource"), "uri": STRING}),
        }
    ),
}
_CONTEXT = {"context": record({}, {"arguments": _TEXTS})}
_RETRY = {
    "inputResponses": object_of(
        one_of(
            {
                "CreateMessageResult": CREATE_MESSAGE_RESULT,
                "ListRootsResult": LIST_ROOTS_RESULT,
                "ElicitResult": ELICIT_RESULT,
            }
        )
    ),
    "requestState": STRING,
}
"""The members of the retry of a request whose result was `input_required`."""

_CHANGES = record(
    {},
    {
        "promptsListChanged": BOOLEAN,
        "resourceSubscriptions": list_of(STRING),
        "resourcesListChanged": BOOLEAN,
        "toolsListChanged": BOOLEAN,
    },
)

STATELESS_PARAMS: Shapes = {
    "completion/complete": _params(_COMPLETE, _CONTEXT),
    "prompts/get": _params({"name": STRING}, {"arguments": _TEXTS, **_RETRY}),
    "prompts/list": _params(optional=_PAGE),
    "resources/list": _params(optional=_PAGE),
    "resources/read": _params({"uri": STRING}, _RETRY),
    "resources/templates/list": _params(optional=_PAGE),
    "server/discover": _params(),
    "subscriptions/listen": _params({"notifications": _CHANGES}),
    "tools/call": _params({"name": STRING}, {"arguments": OBJECT, **_RETRY}),
    "tools/list": _params(optional=_PAGE),
}
"""Schemas of `params` by method, of 2026-07-28."""

SESSION_PARAMS: Shapes = {
    "completion/complete": _session_params(_COMPLETE, _CONTEXT),
    "initialize": _session_params(
        {"capabilities": _SESSION_CAPABILITIES, "clientInfo": IMPLEMENTATION, "protocolVersion": STRING}
    ),
    "logging/setLevel": _session_params({"level": LEVEL}),
    "ping": _session_params(),
    "prompts/get": _session_params({"name": STRING}, {"arguments": _TEXTS}),
    "prompts/list": _session_params(optional=_PAGE),
    "resources/list": _session_params(optional=_PAGE),
    "resources/read": _session_params({"uri": STRING}),
    "resources/subscribe": _session_params({"uri": STRING}),
    "resources/templates/list": _session_params(optional=_PAGE),
    "resources/unsubscribe": _session_params({"uri": STRING}),
    "tools/call": _session_params({"name": STRING}, {"arguments": OBJECT, "task": record({}, {"ttl": INTEGER})}),
    "tools/list": _session_params(optional=_PAGE),
}
"""Schemas of `params` by method, of 2025-11-25. The older revisions have the same methods with fewer members; as
unknown members are allowed, one table serves all."""

_STATELESS_VERSIONS: Mapping[str, Shapes] = {"2026-07-28": STATELESS_PARAMS}


@cache
def validator(method: str, version: str) -> SchemaValidator:
    """The validator of a method's `params`. Raises KeyError for a method that the revision does not have."""
    return SchemaValidator(_STATELESS_VERSIONS.get(version, SESSION_PARAMS)[method])
