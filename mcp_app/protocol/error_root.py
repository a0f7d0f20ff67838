"""`McpAppError`: the root of every error that a caller can get, what a caller gets of it, and its two main branches.

The errors themselves are in errors.py, and the tree of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .error_kind import ErrorKind


class McpAppError(Exception):
    """The root. `code` is the stable identifier on the wire, `status` the HTTP status of the error sent as JSON.

    `hint` says what the caller can do about it, `suggestion` which names are similar to an unknown one. `details` lists
    the invalid fields, each with `field` and `problem`. `error_id` leads an operator to the log entry with the details
    hidden from the caller. `headers` are HTTP header fields that the status requires (Allow, Retry-After).
    """

    code: ClassVar[str]
    status: ClassVar[int]
    error_kind: ClassVar[ErrorKind] = ErrorKind.SERVER
    hint: str = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        suggestion: str = "",
        details: Sequence[Mapping[str, str]] = (),
        error_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not hasattr(type(self), "code"):
            raise TypeError(f"{type(self).__name__} is abstract: raise one of its subclasses")
        super().__init__(message)
        self.message = str(message)  # authors raise ToolError(error) from error
        self.hint = self.hint if hint is None else str(hint)
        self.suggestion = suggestion
        self.details = tuple(details)
        self.error_id = error_id
        self.headers = dict(headers or {})

    def object(self) -> dict[str, Any]:
        """The error object: the same in the stream and in JSON."""
        hint = f"{self.suggestion} {self.hint}".lstrip()
        fields: dict[str, Any] = {"code": self.code, "message": self.message, "hint": hint}
        if self.details:
            fields["details"] = [dict(detail) for detail in self.details]
        if self.error_id is not None:
            fields["error_id"] = self.error_id
        return fields


class RequestError(McpAppError):
    """The request was refused; no tool has run."""


class RunError(McpAppError):
    """The run ended without a result; this is its last event."""
