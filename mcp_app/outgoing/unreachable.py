"""The error of everything that goes out: why something could not be reached. No other logic."""

from __future__ import annotations

from typing import Literal

from ..protocol.errors import ToolError

Reason = Literal[
    "no_such_name",  # DNS answered: the name does not exist
    "no_address",  # DNS answered: the name has neither A nor AAAA
    "no_dns_answer",  # DNS did not answer
    "refused_address",  # the rules forbid every address of the name
    "refused_port",  # the rules forbid the port
    "refused_url",  # not http(s), or a URL with a user name
    "no_connection",  # refused, reset or unreachable
    "timed_out",
    "tls",  # the TLS handshake failed
    "protocol",  # the answer is not HTTP
    "too_large",  # the answer has more bytes than were asked for
    "too_many_redirects",
]


class Unreachable(ToolError):
    """Something could not be fetched, resolved or connected to, or may not be. `reason` is for programs.

    A tool that does not catch it ends with the code `unreachable`; the message may be shown to the caller. It never
    holds what an internal name resolved to: who may not connect there may not read the intranet's DNS by it either.
    """

    code = "unreachable"
    status = 502

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason

    @property
    def refused(self) -> bool:
        """The rules forbid it; nobody was connected to."""
        return self.reason.startswith("refused_")
