"""What can go wrong with Redis, and what is said of it: to callers one sentence, to the operator's log the reason.

Nothing is connected or repeated here.
"""

from __future__ import annotations

import math

from redis import exceptions

from ...protocol.errors import LogUnavailable
from ..shared import RETRY_SECONDS


class Lost(Exception):
    """The connection is gone, and what was asked on it may have been done. The message is for the operator."""


LOSSES = (exceptions.RedisError, exceptions.RedisClusterException, OSError, EOFError, TimeoutError, ValueError)
"""What redis-py raises for a server that cannot be used; ValueError for bytes that are no answer of Redis."""


def unavailable() -> LogUnavailable:
    """For a caller: without any name of ours."""
    return LogUnavailable(
        "The event log of this server cannot be reached.", headers={"Retry-After": str(math.ceil(RETRY_SECONDS))}
    )


def reason(error: BaseException) -> str:
    """For the operator: what was wrong and, where one thing cures it, what to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    for kinds, remedy in _REMEDIES:
        if isinstance(error, kinds):
            return f"{text.rstrip('.')}. {remedy}"
    for part, remedy in _REMEDIES_OF_TEXTS:
        if part in text:
            return f"{text.rstrip('.')}. {remedy}"
    return text


_REMEDIES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (exceptions.AuthenticationError, exceptions.AuthorizationError),
        "Put user and password into the URL: redis://USER:PASSWORD@HOST.",
    ),
    ((exceptions.NoPermissionError,), "docs/how-to-redis.md lists the commands that its user needs."),
    ((exceptions.OutOfMemoryError,), "Give it more memory (maxmemory), or keep less: MCP_APP_RUN_KEEP_SECONDS."),
    (
        (exceptions.ReadOnlyError, exceptions.MasterDownError),
        "It is a replica: name its primary, or use redis+sentinel://.",
    ),
)
_REMEDIES_OF_TEXTS = (
    ("CERTIFICATE_VERIFY_FAILED", "For a certificate of your own authority add ?ssl_ca_certs=FILE to the URL."),
    ("cluster support disabled", "Begin the URL with redis:// (rediss:// with TLS)."),
)
