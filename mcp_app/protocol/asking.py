"""Errors of asking the caller something: the author's to catch, and without it the caller's to read.

They are `ToolError`s, raised in the tool at its own `await`. Nothing is asked here.
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
    """The client was asked, and answered with an error or with what nobody asked for."""

    code = "no_answer"
    status = 502
    hint = "The client says why; call again to be asked again."


class MissingCapability(ToolError):
    """The tool asks for something that the caller did not declare it can do (MCP 2026-07-28, basic/index, _meta).

    `required` has the shape of MCP's ClientCapabilities, with what is missing.
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
    """Pages must be opened before the call is made again (MCP 2025-11-25, client/elicitation, -32042).

    It ends the run of a caller that can be asked in no other way; no tool sees it. `elicitations` are
    those of the wire.
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
