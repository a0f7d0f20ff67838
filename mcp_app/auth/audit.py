"""The audit log: who called what, when, from where, how it ended. JSON lines, which are only ever appended.

A line is written before the call does anything; a call of which none can be written is not made. Arguments are written
as HMAC, so that a call can be proved without the log knowing what was in it. Which calls there are is not known here.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..config.settings import Settings, secrets_of
from ..protocol.access import Access
from ..protocol.account import Account
from ..protocol.errors import InsufficientScope, NotReady
from ..web.messages import Request
from .appended import AppendedFile

logger = logging.getLogger("mcp_app.auth")

MAX_ARGUMENTS_BYTES = 16 * 1024
"""Of arguments that are written as they are: more is left to its HMAC, and to its size."""

REFUSALS_A_SECOND = 100
"""Requests without valid credentials cost whoever sends them nothing: of more, only the number is written."""

LOG_SECONDS = 60.0
"""Between two lines of the server's log about an audit log that cannot be written: a disk that is full fails each call,
and is not to fill the next one. The calls between them have the error id of the line before."""

_SALT = b"mcp_app audit arguments"


class AuditError(Exception):
    """The audit log cannot be kept as it is configured: the message names what is wrong, and what to do."""


class AuditLog:
    """Writes the lines. `now` is in Unix seconds."""

    def __init__(
        self, file: AppendedFile, secret: str | None, *, arguments: bool, now: Callable[[], float] = time.time
    ) -> None:
        self._file = file
        self._key = None if secret is None else hmac.digest(secret.encode(), _SALT, "sha256")
        self._arguments = arguments
        self._now = now
        self._told_at, self._error_id = -math.inf, ""
        self._second, self._refused = 0, 0

    @classmethod
    def configured(cls, settings: Settings) -> AuditLog | None:
        """The one that the settings name, opened. Raises AuditError."""
        if settings.audit_log is None:
            return None
        first = next(iter(secrets_of(settings.secret)), None)
        if first is None and not settings.audit_arguments:
            raise AuditError(
                "MCP_APP_AUDIT_LOG writes arguments as HMAC with MCP_APP_SECRET, which is not set. Set it, "
                "or set MCP_APP_AUDIT_ARGUMENTS=1 to have them written as they are."
            )
        file = AppendedFile(settings.audit_log)
        try:
            file.open()
        except OSError as error:
            raise AuditError(f"MCP_APP_AUDIT_LOG: {settings.audit_log}: {error.strerror or error}") from error
        return cls(file, first, arguments=settings.audit_arguments)

    def began(self, account: Account, arguments: Mapping[str, Any]) -> None:
        """Raises NotReady if the line cannot be written."""
        try:
            self._write({**self._of("began", account), **self._written(arguments)})
        except OSError as error:
            raise NotReady(
                "Calls are not taken while they cannot be audited.",
                error_id=self._tell(error),
                headers={"Retry-After": "5"},
            ) from None

    def ended(self, account: Account, code: str, seconds: float, error_id: str | None) -> None:
        line = {**self._of("ended", account), "outcome": code, "seconds": round(seconds, 3)}
        self._try_to_write(line if error_id is None else {**line, "error_id": error_id})

    def refused(self, request: Request, code: str, status: int) -> None:
        """A request that was refused for who sent it: no call began."""
        self._refuse(request, request.access, {"status": status, "outcome": code})

    def withheld(self, request: Request, access: Access, name: str) -> None:
        """What a caller asked for and may not use, whether it was told so or that there is none."""
        self._refuse(request, access, {"name": name, "outcome": InsufficientScope.code})

    def _refuse(self, request: Request, access: Access, what: Mapping[str, Any]) -> None:
        second = int(self._now())
        if second != self._second:
            self._tell_more()
            self._second = second
        self._refused += 1
        if self._refused <= REFUSALS_A_SECOND:
            who = {"who": access.principal, **({"credential": access.credential} if access.credential else {})}
            way = {"from": request.peer or "-", "http": request.http_version}
            asked = {"method": request.method[:20], "path": request.path[:200]}
            self._try_to_write({"time": self._time(), "event": "refused", **who, **way, **asked, **what})

    def close(self) -> None:
        """Write what is left to say, and close the file."""
        self._tell_more()
        self._file.close()

    def _tell_more(self) -> None:
        """How many refused requests have no line of their own."""
        more, self._refused = self._refused - REFUSALS_A_SECOND, 0
        if more > 0:
            self._try_to_write({"time": self._time(), "event": "refused", "more": more})

    def _of(self, event: str, account: Account) -> dict[str, Any]:
        access = account.access
        line: dict[str, Any] = {"time": self._time(), "event": event, "run": account.run, "who": access.principal}
        if access.credential:
            line["credential"] = access.credential
        line |= {"from": account.peer, "http": account.http_version or None, "dialect": account.dialect}
        line |= {"what": account.noun, "name": account.name}
        return line if account.step is None else {**line, "step": account.step}

    def _written(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with what the call left out, as JSON with sorted names, and the HMAC-SHA256 of that."""
        try:
            value = to_jsonable_python(dict(arguments), fallback=lambda each: type(each).__qualname__)
            text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            return {"arguments_unwritable": type(error).__name__}
        data = text.encode("utf-8", "surrogatepass")
        found: dict[str, Any] = {"arguments_bytes": len(data)}
        if self._key is not None:
            found["arguments_hmac"] = hmac.digest(self._key, data, "sha256").hex()
        if self._arguments and len(data) <= MAX_ARGUMENTS_BYTES:
            found["arguments"] = value
        return found

    def _time(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _write(self, line: Mapping[str, Any]) -> None:
        # Plain ASCII on one line: nobody who chose a name or an argument can forge a line, or a terminal's escapes.
        self._file.append(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")

    def _try_to_write(self, line: Mapping[str, Any]) -> None:
        try:
            self._write(line)
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> str:
        """The error id under which it is in the server's log, perhaps since a moment ago."""
        now = self._now()
        if not 0 <= now - self._told_at < LOG_SECONDS:  # also where the clock was set back
            self._told_at, self._error_id = now, secrets.token_hex(8)
            logger.error(
                "the audit log cannot be written: %s [error_id %s]; the next line about it in %g s",
                error,
                self._error_id,
                LOG_SECONDS,
            )
        return self._error_id
