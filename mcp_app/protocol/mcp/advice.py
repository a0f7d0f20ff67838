"""What an error tells a client of MCP to do about it: the hints of the errors name routes that MCP does not have.

Pure: texts in, texts out. Which code an error has is in rpc_error.py, how one is shown to a model in results.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .. import errors

_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        errors.InvalidRequest.hint: "",
        errors.InvalidParams.hint: "tools/list has the tool's inputSchema.",
        errors.UnknownTool.hint: "tools/list names every tool.",
        errors.UnknownRun.hint: "Send the request again.",
        errors.NotAcceptable.hint: "Accept application/json and text/event-stream, both.",
        errors.Overloaded.hint: "Try again in a few seconds.",
        errors.Draining.hint: "Try again in a few seconds: another process takes over.",
        errors.TimeCap.hint: "Ask for less in one call.",
        errors.Left.hint: "Send the request again.",
        errors.Purged.hint: "Send the request again.",
    }
)
"""The hint of an error -> what it is in MCP, empty where there is nothing to add. Other hints are true in MCP, too."""


def object_in_mcp(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The error object as `data` of a JSON-RPC error, without a hint if there is nothing to say."""
    hint = _ADVICE.get(problem["hint"], problem["hint"])
    known = {name: value for name, value in problem.items() if name != "hint"}
    return {**known, "hint": hint} if hint else known


def invalid_arguments(error: errors.InvalidParams, name: str, schema: Mapping[str, Any]) -> errors.InvalidParams:
    """The error of a call's arguments in MCP's words: each problem once, and the names of the arguments there are.

    `name` is the tool's or the prompt's, `schema` that of its arguments.
    """
    message = " ".join(f"{each['field']}: {each['problem'].rstrip('.')}." for each in error.details)
    names = ", ".join(schema.get("properties", ()))
    known = f"The arguments of {name} are: {names}." if names else f"{name} takes no arguments."
    return errors.InvalidParams(message or error.message, hint=known, details=error.details)
