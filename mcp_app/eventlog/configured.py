"""The shared log that the settings name. Each implementation is imported only where it is used: what it needs is an
extra. Nothing is opened here."""

from __future__ import annotations

from ..config.settings import Settings, secrets_of
from ..protocol.errors import LogRefused
from .shared import SharedLog


def shared_log(settings: Settings) -> SharedLog | None:
    """None where runs stay in the memory of this process. Raises LogRefused for a log that cannot be used here."""
    address = settings.event_log
    if not address.shared:
        return None
    if address.kind == "sqlite":
        from .sqlite.address import SqliteAddress
        from .sqlite.log import SqliteLog

        return SqliteLog(SqliteAddress.read(address.path, address.options))
    try:
        from .redis import RedisLog
    except ModuleNotFoundError as error:
        raise LogRefused(
            f"MCP_APP_EVENT_LOG={address} needs {error.name}, which is not installed. The extra redis has it:"
            " pip install 'redis[hiredis]' cryptography."
        ) from error
    return RedisLog(address.url, secrets_of(settings.secret), settings.log_replicas)
