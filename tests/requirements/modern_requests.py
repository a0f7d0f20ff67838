"""Requests of MCP 2026-07-28 that the server of modern_client.py answers, each method at least once. No test."""

from __future__ import annotations

from typing import Any

from modern_client import ALL, TASKS

ADD: dict[str, Any] = {"name": "add", "arguments": {"first": 1}}
NAMED: list[tuple[str, dict[str, Any]]] = [
    ("tools/call", ADD),
    ("prompts/get", {"name": "advise", "arguments": {"topic": "x"}}),
    ("resources/read", {"uri": "test://text"}),
]
ALL_METHODS = [
    *NAMED,
    ("server/discover", {}),
    ("tools/list", {}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("prompts/list", {}),
    ("subscriptions/listen", {"notifications": {}}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "topic", "value": "a"}},
    ),
]

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("server/discover", {}),
    ("tools/list", {}),
    ("tools/call", {"name": "add", "arguments": {"first": 1}}),
    ("tools/call", {"name": "add", "arguments": {}}),  # isError
    ("tools/call", {"name": "fail", "arguments": {"how": "told"}}),
    ("tools/call", {"name": "greet"}),  # input_required
    ("tools/call", {"name": "long_work"}),  # a task
    ("tools/call", {"name": "talk"}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "test://text"}),
    ("resources/read", {"uri": "test://asked"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "advise", "arguments": {"topic": "x"}}),
    ("prompts/get", {"name": "ask_first"}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "topic", "value": "a"}},
    ),
]
CAN_ALL = {**ALL, "extensions": {TASKS: {}}}

FAILURES: list[tuple[str, dict[str, Any], int, int]] = [
    ("nothing/here", {}, 404, -32601),
    ("initialize", {}, 404, -32601),
    ("ping", {}, 404, -32601),
    ("logging/setLevel", {"level": "info"}, 404, -32601),
    ("resources/subscribe", {"uri": "test://text"}, 404, -32601),
    ("tasks/list", {}, 404, -32601),
    ("sampling/createMessage", {}, 404, -32601),
    ("tools/call", {"name": "nobody"}, 400, -32602),
    ("tools/call", {}, 400, -32602),
    ("tools/list", {"cursor": "no cursor"}, 400, -32602),
    ("resources/read", {"uri": "test://nothing"}, 400, -32602),
    ("resources/read", {"uri": "test://users/none"}, 400, -32602),
    ("prompts/get", {"name": "nobody"}, 400, -32602),
    ("prompts/get", {"name": "advise"}, 400, -32602),
    ("tasks/get", {"taskId": "nothing"}, 400, -32602),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {}}, 400, -32602),
    ("resources/read", {"uri": "test://broken"}, 200, -32603),
]
