"""An error of the wire -> the exception that its server raised: of `mcp_app.errors`, or a ToolError of an author's own.

Nothing is raised here. What no class has is a ToolError, with the code of the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from mcp_app.protocol import asking, errors
from mcp_app.protocol.errors import McpAppError, ToolError, ToolFailed
from mcp_app.protocol.mcp.jsonrpc import Code, RpcError

_ERROR = "/error"
"""How the member of `_meta` ends that has the error object (protocol/mcp/results.py)."""


def from_object(content: Mapping[str, Any]) -> McpAppError:
    """The exception of an error object (docs/reference.md, Errors)."""
    code, error_id = str(content.get("code", "")), content.get("error_id")
    listed = content.get("details")
    details = [each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, Mapping)]
    error = _bare(code, masked=error_id is not None)
    McpAppError.__init__(
        error,
        str(content.get("message", "")),
        hint=str(content.get("hint", "")),
        details=details,
        error_id=error_id if isinstance(error_id, str) else None,
    )
    if isinstance(error, asking.MissingCapability):
        required = content.get("requiredCapabilities")
        error.required = required if isinstance(required, Mapping) else {}
    elif isinstance(error, asking.UrlRequired):
        pages = content.get("elicitations")
        error.elicitations = pages if isinstance(pages, list) else ()
    elif isinstance(error, errors.InsufficientScope):
        scopes = content.get("scopes")
        error.needed = frozenset(map(str, scopes) if isinstance(scopes, list) else ())
    elif isinstance(error, asking.Declined):
        error.action = "decline"  # the wire does not say which
    return error


def from_response(error: Mapping[str, Any]) -> Exception:
    """The exception of a JSON-RPC error: that of the error object in its data, else an RpcError."""
    data = error.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("code"), str) and isinstance(data.get("message"), str):
        return from_object(data)
    code = error.get("code")
    return RpcError(code if isinstance(code, int) else Code.INTERNAL_ERROR, str(error.get("message")), data=data)


def from_result(meta: Mapping[str, Any], text: str) -> McpAppError:
    """The exception of a result with `isError`: that of the error object in its `_meta`, else a ToolError with the text
    for the model."""
    objects = [each for name, each in meta.items() if name.endswith(_ERROR) and isinstance(each, Mapping)]
    return from_object(objects[0] if objects else {"code": ToolError.code, "message": text})


def _bare(code: str, *, masked: bool) -> McpAppError:
    """An exception of the class that has the code, not initialised: an author's may take any arguments."""
    if code == ToolFailed.code:
        kind: type[McpAppError] = ToolFailed if masked else ToolError
    else:
        kind = _ours().get(code) or _authors(code) or _named(code)
    return kind.__new__(kind)


@cache
def _ours() -> Mapping[str, type[McpAppError]]:
    """What those modules have, wherever it is defined."""
    offered = [*vars(errors).values(), *vars(asking).values()]
    kinds = [each for each in offered if isinstance(each, type) and issubclass(each, McpAppError)]
    return {kind.code: kind for kind in kinds if "code" in vars(kind)}


def _authors(code: str) -> type[McpAppError] | None:
    """The class of an author's in this process that has the code; None if several have. One that was defined again, as
    by each run of a test, is the newest of its name: when the others are collected is nobody's to say."""
    found = {(kind.__module__, kind.__qualname__): kind for kind in _below(ToolError) if vars(kind).get("code") == code}
    return found.popitem()[1] if len(found) == 1 else None


@cache
def _named(code: str) -> type[McpAppError]:
    return type("ToolError", (ToolError,), {"code": code, "__module__": __name__})


def _below(kind: type[McpAppError]) -> Iterator[type[McpAppError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
