"""The OpenAPI document: one path for each tool, for clients that know nothing of MCP.

What is demanded where OpenAPI leaves a choice is what the known readers of such documents demand: the version 3.1.0, an
absolute `servers`, nothing but operations below a path, an `operationId` that a model's function may have, texts of a
bounded length, one security scheme. No bytes and no header fields here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .documents import LiveServer, ToolFacts, absolute
from .manifest import Manifest
from .openapi_schemas import COMPONENTS, MAX_DESCRIPTION, Components, numbered, shortened

VERSION = "3.1.0"
"""GPT Actions take this one and no later patch of it; its schemas are JSON Schema 2020-12, as the tools' are."""

MAX_OPERATION_ID = 64
"""Characters. An operationId becomes the name of a model's function, for which OpenAI and Anthropic allow so many."""

_NO_FUNCTION = re.compile(r"[^A-Za-z0-9_-]")
_DOTS = frozenset({".", ".."})  # segments that every URL parser removes (RFC 3986, 5.2.4)

_SCHEME = "bearer"
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, or an access token of the server's authorization server.",
}
"""One scheme for both, as ChatGPT refuses a document with several."""

_SCHEMAS: Mapping[str, Any] = {
    "Error": {
        "type": "object",
        "description": "Why the call was refused, or how it ended without a result.",
        "properties": {
            "type": {"type": "string", "const": "error"},
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "Stable: for programs."},
                    "message": {"type": "string", "description": "What was wrong."},
                    "hint": {"type": "string", "description": "What to do about it."},
                    "details": {
                        "type": "array",
                        "description": "The parameters at fault.",
                        "items": {
                            "type": "object",
                            "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
                        },
                    },
                    "error_id": {"type": "string", "description": "Leads to the entry in the server's log."},
                },
                "required": ["code", "message", "hint"],
            },
            "tool": {"type": "string", "description": "The tool that ran, if one did."},
            "progress": {"$ref": f"{COMPONENTS}Progress"},
            "metadata": {"type": "object", "properties": {}},
        },
        "required": ["type", "error"],
    },
    "Progress": {
        "type": "array",
        "description": "What the tool said while it worked.",
        "items": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["progress", "log", "restarted"]},
                "data": {},
                "metadata": {"type": "object", "properties": {}},
            },
            "required": ["type", "data"],
        },
    },
    "Linked": {
        "type": "array",
        "description": "A result too large to be sent, kept at `url` for a while: metadata has `linked` then.",
        "items": {
            "type": "object",
            "properties": {"type": {"type": "string", "const": "resource_link"}, "url": {"type": "string"}},
            "required": ["type"],
        },
    },
    "Events": {
        "type": "string",
        "description": "Server-Sent Events. Each `data:` is one line of JSON: `started`, then `progress` and `log` as "
        "they happen; the last is `complete`, with `data`, or `error`. Lines that begin with a colon are heartbeats.",
    },
}


def openapi(manifest: Manifest, live: LiveServer, base: str) -> dict[str, Any]:
    """The document of a server at the URL `base`. Raises ManifestError if that is not a usable URL."""
    components = Components(_SCHEMAS)
    shared: dict[str, Any] = {"schemas": components.schemas}
    if live.asks:
        shared["securitySchemes"] = {_SCHEME: _BEARER}
    tools = [tool for tool in live.tools if tool.name not in _DOTS]
    names = _operation_ids(tool.name for tool in tools)
    document: dict[str, Any] = {
        "openapi": VERSION,
        "info": _info(manifest, live),
        "servers": [{"url": absolute(base, "")}],
        "paths": {
            f"{manifest.tools_path}/{tool.name}": {
                "post": _operation(tool, names[tool.name], components) | _security(tool, live)
            }
            for tool in tools
        },
        "components": shared,
    }
    if manifest.card.website_url is not None:
        document["externalDocs"] = {"url": manifest.card.website_url}
    return document


def _security(tool: ToolFacts, live: LiveServer) -> dict[str, Any]:
    """The scopes of the tool as roles, which 3.1 has for every scheme (OpenAPI 3.1, 4.8.30)."""
    if not live.asks:
        return {}
    unneeded: list[dict[str, list[str]]] = [{}] if live.lets_in and not tool.scopes else []
    return {"security": [*unneeded, {_SCHEME: sorted(tool.scopes)}]}


def _info(manifest: Manifest, live: LiveServer) -> dict[str, Any]:
    card = manifest.card
    description = card.description if live.instructions is None else f"{card.description}\n\n{live.instructions}"
    return {"title": card.title or card.name, "version": card.version, "description": description}


def _operation(tool: ToolFacts, name: str, components: Components) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "summary": shortened(tool.title or tool.name, MAX_DESCRIPTION)}
    if tool.description:
        operation["description"] = shortened(tool.description, MAX_DESCRIPTION)
    if tool.metadata.tags:
        operation["tags"] = list(tool.metadata.tags)
    # Without it ChatGPT asks before each POST, and cannot be told to stop asking.
    operation["x-openai-isConsequential"] = not tool.read_only
    if _has_parameters(tool.input_schema):  # Open WebUI does not call one that takes a body, and is given no parameter
        operation["requestBody"] = {
            "required": bool(tool.input_schema.get("required")),
            "content": {"application/json": {"schema": components.own(tool.input_schema, f"{name}.params")}},
        }
    operation["responses"] = _responses(tool, name, components)
    return operation


def _has_parameters(schema: Mapping[str, Any]) -> bool:
    return schema.get("properties") != {} or schema.get("additionalProperties") is not False


def _responses(tool: ToolFacts, name: str, components: Components) -> dict[str, Any]:
    # Nothing is said of the value of a tool that declares no type: it may be anything, or links.
    value = {} if tool.output_schema is None else components.own(tool.output_schema, f"{name}.result")
    complete = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": "complete"},
            "tool": {"type": "string", "const": tool.name},
            "data": {"anyOf": [value, {"$ref": f"{COMPONENTS}Linked"}]} if value else {},
            "progress": {"$ref": f"{COMPONENTS}Progress"},
            "metadata": {
                "type": "object",
                "properties": {
                    "run": {"type": "string"},
                    "duration_ms": {"type": "integer"},
                    "events": {"type": "integer"},
                },
            },
        },
        "required": ["type", "tool", "data", "progress", "metadata"],
    }
    return {
        "200": {
            "description": "The result, as JSON, or as an event stream for who accepts that alone or rather.",
            "content": {
                "application/json": {"schema": complete},
                "text/event-stream": {"schema": {"$ref": f"{COMPONENTS}Events"}},
            },
        },
        "422": _error("The parameters do not fit; nothing was run."),
        "default": _error("Refused (4xx, 503) or ended without a result (5xx). Retry-After may say when to try again."),
    }


def _error(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"{COMPONENTS}Error"}}},
    }


def _operation_ids(names: Iterable[str]) -> dict[str, str]:
    """Tool -> operationId. A tool whose name is one already keeps it, whatever others become."""
    wanted = {name: _NO_FUNCTION.sub("_", name)[:MAX_OPERATION_ID] for name in names}
    taken = {name for name, own in wanted.items() if own == name}
    found: dict[str, str] = {}
    for name, own in wanted.items():
        found[name] = name if own == name else numbered(own, taken, MAX_OPERATION_ID)
        taken.add(found[name])
    return found
