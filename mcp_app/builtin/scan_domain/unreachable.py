"""The exception of a scan's network modules: the reason why something could not be reached. No other logic."""

from typing import Literal

Reason = Literal[
    "no_such_name",  # DNS answered: the name does not exist
    "no_address",  # DNS answered: the name has neither A nor AAAA
    "no_dns_answer",  # DNS did not answer
    "refused_address",  # the policy forbids every address of the name
    "refused_port",  # the policy forbids the port
    "no_connection",  # refused, reset or unreachable
    "timed_out",
    "tls",  # the TLS handshake failed
    "protocol",  # the answer is not HTTP
]

NAME_REASONS: frozenset[Reason] = frozenset({"no_such_name", "no_address", "no_dns_answer", "refused_address"})
"""Reasons that belong to the name itself: the DNS step reports them once, the other steps are skipped."""


class Unreachable(Exception):
    """Something could not be fetched or resolved. `message` may be shown to the caller."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
