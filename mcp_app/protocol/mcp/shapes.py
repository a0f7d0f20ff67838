"""Building blocks of the schemas of MCP messages: pydantic-core schemas, as data.

params.py builds the schemas of client requests from them, answers.py those of server requests and their results. They
are written out because the models of mcp-types cost 0.2 s at every start and 15 MiB; the tests compare the verdicts of
both. A schema only validates: it converts nothing. No method is known here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core.core_schema import (
    CoreSchema,
    any_schema,
    bool_schema,
    dict_schema,
    float_schema,
    int_schema,
    list_schema,
    literal_schema,
    nullable_schema,
    str_schema,
    typed_dict_field,
    typed_dict_schema,
    union_schema,
)

from ..event import LEVELS

Shapes = Mapping[str, CoreSchema]

STRING = str_schema()
INTEGER = int_schema()
NUMBER = float_schema()
PROPORTION = float_schema(ge=0.0, le=1.0)
BOOLEAN = bool_schema()
ANYTHING = any_schema()


def object_of(shape: CoreSchema) -> CoreSchema:
    """An object whose values all have the same schema."""
    return dict_schema(STRING, shape)


def list_of(shape: CoreSchema) -> CoreSchema:
    """An array of any length."""
    return list_schema(shape)


def literal(*words: str) -> CoreSchema:
    """One of these strings."""
    return literal_schema(list(words))


def record(required: Shapes, optional: Shapes | None = None) -> CoreSchema:
    """An object with these members and any others. An optional member that is null counts as absent."""
    fields = {name: typed_dict_field(shape, required=True) for name, shape in required.items()}
    for name, shape in (optional or {}).items():
        fields[name] = typed_dict_field(nullable_schema(shape), required=False)
    return typed_dict_schema(fields)


def one_of(shapes: Shapes) -> CoreSchema:
    """Any of the shapes. Their names appear in the path of a validation error: `params.ref.PromptReference.name`."""
    return union_schema([(shape, name) for name, shape in shapes.items()], mode="left_to_right")


OBJECT = object_of(ANYTHING)
META = OBJECT

# --- metadata of messages --------------------------------------------------------------------------------------------

LEVEL = literal(*sorted(LEVELS))
ROLE = literal("assistant", "user")
ICON = record({"src": STRING}, {"mimeType": STRING, "sizes": list_of(STRING), "theme": literal("light", "dark")})
IMPLEMENTATION = record(
    {"name": STRING, "version": STRING},
    {"description": STRING, "icons": list_of(ICON), "title": STRING, "websiteUrl": STRING},
)

# --- content ---------------------------------------------------------------------------------------------------------

_ANNOTATIONS = record({}, {"audience": list_of(ROLE), "lastModified": STRING, "priority": PROPORTION})
_CONTENT_OPTIONAL = {"_meta": META, "annotations": _ANNOTATIONS}
_CONTENTS_OPTIONAL = {"_meta": META, "mimeType": STRING}

_CONTENTS = one_of(
    {
        "TextResourceContents": record({"uri": STRING, "text": STRING}, _CONTENTS_OPTIONAL),
        "BlobResourceContents": record({"uri": STRING, "blob": STRING}, _CONTENTS_OPTIONAL),
    }
)
_MEDIA = {
    "TextContent": record({"type": literal("text"), "text": STRING}, _CONTENT_OPTIONAL),
    "ImageContent": record({"type": literal("image"), "data": STRING, "mimeType": STRING}, _CONTENT_OPTIONAL),
    "AudioContent": record({"type": literal("audio"), "data": STRING, "mimeType": STRING}, _CONTENT_OPTIONAL),
}
_RESOURCES = {
    "ResourceLink": record(
        {"type": literal("resource_link"), "name": STRING, "uri": STRING},
        {
            **_CONTENT_OPTIONAL,
            "description": STRING,
            "icons": list_of(ICON),
            "mimeType": STRING,
            "size": INTEGER,
            "title": STRING,
        },
    ),
    "EmbeddedResource": record({"type": literal("resource"), "resource": _CONTENTS}, _CONTENT_OPTIONAL),
}
_TOOL_USE = record({"type": literal("tool_use"), "id": STRING, "input": OBJECT, "name": STRING}, {"_meta": META})
_TOOL_RESULT = record(
    {"type": literal("tool_result"), "content": list_of(one_of({**_MEDIA, **_RESOURCES})), "toolUseId": STRING},
    {"_meta": META, "isError": BOOLEAN, "structuredContent": ANYTHING},
)
_SAMPLING_BLOCKS = {**_MEDIA, "ToolUseContent": _TOOL_USE, "ToolResultContent": _TOOL_RESULT}

SAMPLING_CONTENT = one_of({**_SAMPLING_BLOCKS, "list": list_of(one_of(_SAMPLING_BLOCKS))})
"""The content of one message of a sampling request or result: one block or a list of blocks (client/sampling)."""
