"""What an operator may set, all of it: environment variables that start with MCP_APP_.

Hypercorn's own settings (addresses, certificates, HTTP limits) are in hypercorn.toml; the shape of the server's
routes is in mcp.json; a tool's own settings are the tool's. Nothing here may read a file, or import more of the package
than what reads the environment.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, field_validator

from .environment import FromEnvironment

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
"""As browsers write it (RFC 6454, 6.1): no user, no path, no wildcard, and an international name in its ASCII form."""


MIN_SECRET_CHARACTERS = 16
"""Of each secret: fewer could be tried out offline, on one sealed state."""


def secrets_of(setting: SecretStr | None) -> tuple[str, ...]:
    """The secrets in MCP_APP_SECRET, in their order."""
    return () if setting is None else tuple(re.split(r"[\s,]+", setting.get_secret_value().strip(" \t\r\n,")))


def _hidden(value: object) -> object:
    """Hidden before it is looked at (so the last of the annotations): errors of pydantic show what was given."""
    return SecretStr(value) if isinstance(value, str) else value


def _long_enough(value: SecretStr | None) -> SecretStr | None:
    found = secrets_of(value)
    for place, each in enumerate(found, 1):
        if len(each) < MIN_SECRET_CHARACTERS:
            raise ValueError(
                f"MCP_APP_SECRET: secret {place} of {len(found)} has {len(each)} characters; each needs"
                f" {MIN_SECRET_CHARACTERS} (several are separated by commas or spaces)"
            )
    return value


class Settings(FromEnvironment):
    """Each field: a default, a unit, one sentence of why."""

    environment_prefix: ClassVar[str] = "MCP_APP_"

    public_url: AnyHttpUrl | None = None
    """The URL under which callers reach the server, when that is not loopback: allowed Host, links in the manifest."""

    allowed_origins: tuple[str, ...] = ()
    """Origins (scheme://host[:port], comma separated) whose pages may call: none by default, because a page of any
    other site would call with the rights of whoever looks at it."""

    allow_anonymous: bool = False
    """Answer on addresses that other machines reach, although nobody is asked who they are: for a private network, or
    behind a proxy that asks."""

    heartbeat_seconds: float = Field(default=15.0, gt=0, le=3600)
    """Quiet seconds before a heartbeat: well under the 60 s after which common proxies hang up."""

    cap_seconds: float = Field(default=120.0, gt=0, le=86400)
    """Seconds of age at which a call's stream ends: longer work belongs in a detached run."""

    linger_seconds: float = Field(default=30.0, ge=0, le=3600)
    """Seconds a run started by EventSource waits for its reader to come back: a browser reconnects within 3 to 5."""

    keep_seconds: float = Field(default=600.0, ge=0, le=86400)
    """Seconds a finished run can still be read: a laptop that slept for some minutes finds its result."""

    run_life_seconds: float = Field(default=3600.0, gt=0, le=604800)
    """Seconds after which a detached run is ended: nobody waits for it, so nobody else would."""

    max_runs: int = Field(default=10_000, ge=1)
    """Runs being worked on at once; one more is answered 503: each costs some KiB before its tool does anything."""

    threads: int = Field(default=32, ge=1, le=1024)
    """Plain functions (not coroutines) working at once; more wait for a thread."""

    keep_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Bytes of events kept in memory for finished runs, all together; the oldest are forgotten first."""

    secret: Annotated[SecretStr | None, AfterValidator(_long_enough), BeforeValidator(_hidden)] = None
    """Seals what MCP clients carry between the rounds of one call: 16 random characters or more, the same on every node
    and after a restart. Several, separated by commas or spaces, are for changing it: the first seals, all open. Without
    one each process makes its own, and a call cannot be continued elsewhere."""

    session_idle_seconds: float = Field(default=1800.0, gt=0, le=604800)
    """Seconds after which an MCP session that nobody uses is ended: most clients never say that they are done."""

    max_sessions: int = Field(default=10_000, ge=1)
    """MCP sessions at once; for one more, the one that was unused longest is ended: each costs some KiB."""

    legacy_sse: bool = True
    """Whether a GET with nothing else to say opens the HTTP+SSE transport of MCP 2024-11-05, for clients that know no
    other."""

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an exact origin such as https://app.example.com")
        return value
