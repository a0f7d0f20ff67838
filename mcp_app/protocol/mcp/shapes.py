"""The shapes that MCP's messages are made of, and what is common to several: schemas for pydantic-core, as data.

`params.py` makes requests of them, `answers.py` what a client is asked and answers. They are written out, as
the models of mcp-types cost 0.2 s of every start and 15 MiB; the tests compare the verdicts of both. A shape says what
is wrong with a value, and makes nothing of it. No method is known here.
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
    """An object whose values all have one shape."""
    return dict_schema(STRING, shape)


def list_of(shape: CoreSchema) -> CoreSchema:
    """An array of any length."""
    return list_schema(shape)


def word(*words: str) -> CoreSchema:
    """One of these strings."""
    return literal_schema(list(words))


def record(required: Shapes, optional: Shapes | None = None) -> CoreSchema:
    """An object with these members, and any others besides. An optional one that is null counts as left out."""
    fields = {name: typed_dict_field(shape, required=True) for name, shape in required.items()}
    for name, shape in (optional or {}).items():
        fields[name] = typed_dict_field(nullable_schema(shape), required=False)
    return typed_dict_schema(fields)


def one_of(shapes: Shapes) -> CoreSchema:
    """Any of the shapes. Their names stand in the path of what is wrong: `params.ref.PromptReference.name`."""
    return union_schema([(shape, name) for name, shape in shapes.items()], mode="left_to_right")


OBJECT = object_of(ANYTHING)
META = OBJECT

# --- who says something ----------------------------------------------------------------------------------------------

LEVEL = word(*sorted(LEVELS))
ROLE = word("assistant", "user")
ICON = record({"src": STRING}, {"mimeType": STRING, "sizes": list_of(STRING), "theme": word("light", "dark")})
IMPLEMENTATION = record(
    {"name": STRING, "version": STRING},
    {"description": STRING, "icons": list_of(ICON), "title": STRING, "websiteUrl": STRING},
)

# --- content ---------------------------------------------------------------------------------------------------------

_ANNOTATIONS = record({}, {"audience": list_of(ROLE), "lastModified": STRING, "priority": PROPORTION})
_OF_CONTENT = {"_meta": META, "annotations": _ANNOTATIONS}
_OF_CONTENTS = {"_meta": META, "mimeType": STRING}

_CONTENTS = one_of(
    {
        "TextResourceContents": record({"uri": STRING, "text": STRING}, _OF_CONTENTS),
        "BlobResourceContents": record({"uri": STRING, "blob": STRING}, _OF_CONTENTS),
    }
)
_SHOWN = {
    "TextContent": record({"type": word("text"), "text": STRING}, _OF_CONTENT),
    "ImageContent": record({"type": word("image"), "data": STRING, "mimeType": STRING}, _OF_CONTENT),
    "AudioContent": record({"type": word("audio"), "data": STRING, "mimeType": STRING}, _OF_CONTENT),
}
_RESOURCES = {
    "ResourceLink": record(
        {"type": word("resource_link"), "name": STRING, "uri": STRING},
        {
            **_OF_CONTENT,
            "description": STRING,
            "icons": list_of(ICON),
            "mimeType": STRING,
            "size": INTEGER,
            "title": STRING,
        },
    ),
    "EmbeddedResource": record({"type": word("resource"), "resource": _CONTENTS}, _OF_CONTENT),
}
_TOOL_USE = record({"type": word("tool_use"), "id": STRING, "input": OBJECT, "name": STRING}, {"_meta": META})
_TOOL_RESULT = record(
    {"type": word("tool_result"), "content": list_of(one_of({**_SHOWN, **_RESOURCES})), "toolUseId": STRING},
    {"_meta": META, "isError": BOOLEAN, "structuredContent": ANYTHING},
)
_SAID = {**_SHOWN, "ToolUseContent": _TOOL_USE, "ToolResultContent": _TOOL_RESULT}

SAID = one_of({**_SAID, "list": list_of(one_of(_SAID))})
"""The content of one message in a conversation with a model: a block, or several (client/sampling)."""
