"""Errors of asking the caller a question. A tool may catch them; an uncaught one ends its run and reaches the caller.

They are `ToolError`s, raised in the tool where it awaits the answer. No question is sent from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .error_kind import ErrorKind
from .errors import ToolError

Action = Literal["decline", "cancel"]


class Declined(ToolError):
    """The user was asked and gave no answer (MCP 2026-07-28, Elicitation, Response Actions).

    `action` is "decline" for an explicit no, "cancel" for a dialog that was closed without a choice.
    """

    code = "declined"
    status = 409
    hint = "Call again to be asked again."

    def __init__(self, action: Action, message: str) -> None:
        super().__init__(message)
        self.action = action


class NoAnswer(ToolError):
    """The client answered the question with an error, or with something that does not fit the question."""

    code = "no_answer"
    status = 502
    hint = "The client says why; call again to be asked again."


class MissingCapability(ToolError):
    """The tool needs a capability that the caller did not declare (MCP 2026-07-28, basic/index, _meta).

    `required` are the missing capabilities, in the shape of MCP's ClientCapabilities.
    """

    code = "missing_capability"
    status = 400
    error_kind = ErrorKind.MISSING_CAPABILITY
    hint = "Call with an MCP client that declares this capability."

    def __init__(self, required: Mapping[str, Any], message: str) -> None:
        super().__init__(message)
        self.required = required

    def object(self) -> dict[str, Any]:
        return {**super().object(), "requiredCapabilities": self.required}


class UrlRequired(ToolError):
    """The user must open pages before the call is retried (MCP 2025-11-25, client/elicitation, -32042).

    It ends the run of a caller that supports no other way of asking; it is never raised in a tool. `elicitations` are
    in the format of the wire.
    """

    code = "url_elicitation_required"
    status = 409
    error_kind = ErrorKind.URL_REQUIRED
    hint = "Open the pages, then call again."

    def __init__(self, elicitations: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("This call needs its user to open a page first.")
        self.elicitations = elicitations

    def object(self) -> dict[str, Any]:
        return {**super().object(), "elicitations": list(self.elicitations)}
