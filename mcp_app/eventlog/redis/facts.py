"""What a server says of itself (INFO), and whether it can hold a log: pure but for the one question."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio.connection import Connection

from .faults import Lost

OLDEST = 7
"""The first Redis with sharded publish/subscribe. Every Valkey calls itself one of 7.2, for clients like this one."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`history` is the replication id of a primary: another one whenever a replica or a restarted server takes over."""

    version: str
    role: str
    history: bytes
    loading: bool
    clustered: bool
    eviction: str

    def not_now(self) -> str | None:
        """Why it cannot be used at the moment."""
        if self.role != "master":
            return "is a replica"
        return "is loading its data" if self.loading else None

    def never(self, clustered: bool) -> str | None:
        """Why it cannot be used as it is, and the remedy. `clustered`: the URL says that it is a Cluster."""
        if not self.version.partition(".")[0].isdecimal() or int(self.version.partition(".")[0]) < OLDEST:
            return f"It is of version {self.version or 'unknown'}. Use Redis {OLDEST} or newer, or Valkey."
        if self.eviction != "noeviction":
            return (
                f"Its maxmemory-policy is {self.eviction}, by which it drops events that it has taken."
                " Set it to noeviction (in redis.conf, or CONFIG SET maxmemory-policy noeviction)."
            )
        if self.clustered and not clustered:
            return "It is a node of a Cluster. Begin the URL with redis+cluster:// (rediss+cluster:// with TLS)."
        return None


async def read_facts(connection: Connection) -> ServerFacts:
    """Raises one of LOSSES, and Lost for a server that cannot be used at the moment."""
    await connection.send_command("INFO")
    facts = parse_facts(await connection.read_response())
    if (wrong := facts.not_now()) is not None:
        raise Lost(f"{connection.host}:{connection.port} {wrong}")
    return facts


def parse_facts(told: bytes) -> ServerFacts:
    lines = (line.partition(":") for line in told.decode(errors="replace").splitlines())
    known = {name: value.strip() for name, colon, value in lines if colon}
    return ServerFacts(
        known.get("redis_version", ""),
        known.get("role", ""),
        known.get("master_replid", "").encode(),
        known.get("loading", "0") != "0",
        known.get("cluster_enabled", "0") == "1",
        known.get("maxmemory_policy", "noeviction"),
    )
