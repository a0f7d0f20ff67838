"""Parameters of each method, and what clients are asked and answer: the specifications' own examples, made complete.

Each member that a schema has is in one of them. Nothing is checked here.
"""

from __future__ import annotations

from typing import Any

MODERN = "2026-07-28"
SESSIONS = "2025-11-25"

META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {
        "name": "ExampleClient",
        "title": "Example Client Display Name",
        "version": "1.0.0",
        "description": "An example MCP client application",
        "icons": [
            {"src": "https://example.com/icon.png", "mimeType": "image/png", "sizes": ["48x48"], "theme": "dark"}
        ],
        "websiteUrl": "https://example.com",
    },
    "io.modelcontextprotocol/clientCapabilities": {
        "roots": {},
        "sampling": {"tools": {}, "context": {}},
        "elicitation": {"form": {}, "url": {}},
        "experimental": {"example": {"deep": [1, None]}},
        "extensions": {"io.modelcontextprotocol/tasks": {}},
    },
    "io.modelcontextprotocol/logLevel": "info",
    "progressToken": "abc123",
}
INITIALIZE: dict[str, Any] = {
    "protocolVersion": SESSIONS,
    "capabilities": {
        "roots": {"listChanged": True},
        "sampling": {"tools": {}},
        "elicitation": {"form": {}, "url": {}},
        "experimental": {"example": {}},
        "tasks": {
            "requests": {"elicitation": {"create": {}}, "sampling": {"createMessage": {}}},
            "list": {},
            "cancel": {},
        },
    },
    "clientInfo": META["io.modelcontextprotocol/clientInfo"],
}
SAMPLED: dict[str, Any] = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "Paris.", "annotations": {"audience": ["user"], "priority": 0.9, "lastModified": "x"}},
        {"type": "tool_use", "id": "call_abc123", "name": "get_weather", "input": {"city": "Paris"}},
    ],
    "model": "claude-3-sonnet-20240307",
    "stopReason": "toolUse",
}
ROOTS: dict[str, Any] = {"roots": [{"uri": "file:///home/user/projects/myproject", "name": "My Project", "_meta": {}}]}
ELICITED: dict[str, Any] = {
    "action": "accept",
    "content": {"name": "Monalisa Octocat", "age": 30, "height": 1.8, "ok": True, "tags": ["a"], "none": None},
}
AGAIN: dict[str, Any] = {
    "inputResponses": {"github_login": ELICITED, "capital_of_france": SAMPLED, "roots": ROOTS},
    "requestState": "eyJsb2NhdGlvbiI6Ik5ldyBZb3JrIn0",
}
COMPLETE: dict[str, Any] = {
    "ref": {"type": "ref/prompt", "name": "code_review", "title": "Review"},
    "argument": {"name": "framework", "value": "fla"},
    "context": {"arguments": {"language": "python"}},
}
TEMPLATE: dict[str, Any] = {
    "ref": {"type": "ref/resource", "uri": "file:///{path}"},
    "argument": {"name": "path", "value": ""},
}
CALL: dict[str, Any] = {"name": "get_weather", "arguments": {"location": "New York"}}
PROMPT: dict[str, Any] = {"name": "code_review", "arguments": {"code": "def hello():\n    print('world')"}}
READ = {"uri": "file:///project/src/main.rs"}
PAGE = {"cursor": "eyJwYWdlIjogMn0="}
LISTEN: dict[str, Any] = {
    "notifications": {
        "toolsListChanged": True,
        "promptsListChanged": False,
        "resourcesListChanged": None,
        "resourceSubscriptions": ["file:///project/config.json"],
    }
}

EXAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    *((method, MODERN, {**params, "_meta": META}) for method, params in (
        ("server/discover", {}),
        ("tools/list", PAGE),
        ("tools/call", CALL),
        ("tools/call", {**CALL, **AGAIN}),
        ("resources/list", PAGE),
        ("resources/templates/list", PAGE),
        ("resources/read", {**READ, "requestState": "x"}),
        ("prompts/list", PAGE),
        ("prompts/get", {**PROMPT, "inputResponses": {}}),
        ("completion/complete", COMPLETE),
        ("completion/complete", TEMPLATE),
        ("subscriptions/listen", LISTEN),
    )),
    *((method, SESSIONS, {**params, "_meta": {"progressToken": 7, "traceparent": "x"}}) for method, params in (
        ("initialize", INITIALIZE),
        ("ping", {}),
        ("tools/list", PAGE),
        ("tools/call", {**CALL, "task": {"ttl": 60000}}),
        ("resources/list", PAGE),
        ("resources/templates/list", PAGE),
        ("resources/read", READ),
        ("resources/subscribe", READ),
        ("resources/unsubscribe", READ),
        ("prompts/list", PAGE),
        ("prompts/get", PROMPT),
        ("completion/complete", COMPLETE),
        ("completion/complete", TEMPLATE),
        ("logging/setLevel", {"level": "info"}),
    )),
]  # fmt: skip

SAMPLING: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": {"type": "text", "text": "What's the weather like in Paris and London?"}},
        SAMPLED | {"_meta": {}},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "toolUseId": "call_abc123",
                    "content": [
                        {"type": "text", "text": "Weather in Paris"},
                        {"type": "image", "data": "eA==", "mimeType": "image/png"},
                        {"type": "audio", "data": "eA==", "mimeType": "audio/wav"},
                        {"type": "resource_link", "name": "a", "uri": "file:///a", "size": 3, "icons": [{"src": "x"}]},
                        {"type": "resource", "resource": {"uri": "file:///a", "text": "x", "mimeType": "text/plain"}},
                        {"type": "resource", "resource": {"uri": "file:///a", "blob": "eA=="}},
                    ],
                    "isError": False,
                    "structuredContent": {"temperature": 18},
                }
            ],
        },
    ],
    "modelPreferences": {
        "hints": [{"name": "claude-3-sonnet"}],
        "costPriority": 0,
        "intelligencePriority": 0.8,
        "speedPriority": 0.5,
    },
    "systemPrompt": "You are a helpful assistant.",
    "includeContext": "none",
    "temperature": 0.5,
    "maxTokens": 1000,
    "stopSequences": ["END"],
    "metadata": {"any": 1},
    "tools": [
        {
            "name": "get_weather",
            "title": "Weather",
            "description": "Get current weather for a city",
            "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "outputSchema": {"$schema": "x"},
            "annotations": {
                "title": "W",
                "readOnlyHint": True,
                "destructiveHint": False,
                "idempotentHint": True,
                "openWorldHint": True,
            },
            "icons": [{"src": "x"}],
        }
    ],
    "toolChoice": {"mode": "auto"},
}
