"""All settings of the application: environment variables that start with MCP_APP_.

Hypercorn's own settings (addresses, certificates, HTTP limits) are in hypercorn.toml, the paths of the routes in
mcp.json, and a tool's settings belong to the tool. Nothing here may read a file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from ..protocol.http.forwarded import TrustedProxies
from ..protocol.scopes import Hierarchy
from . import names
from .client_certificates import check_rules
from .event_log import LogAddress, parse_event_log
from .limits import parse_rules
from .oauth import OAuthSettings

MIN_SECRET_CHARACTERS = 16
"""Minimum length of each secret: a shorter one could be brute-forced offline, from one sealed state."""


def secrets_of(setting: SecretStr | None) -> tuple[str, ...]:
    """The secrets in MCP_APP_SECRET, in order."""
    return () if setting is None else tuple(re.split(r"[\s,]+", setting.get_secret_value().strip(" \t\r\n,")))


def _as_secret(value: object) -> object:
    """Wrap the text before validation (the last annotation runs first): pydantic's errors show the input."""
    return SecretStr(value) if isinstance(value, str) else value


def _check_lengths(value: SecretStr | None) -> SecretStr | None:
    secrets = secrets_of(value)
    for number, each in enumerate(secrets, 1):
        if len(each) < MIN_SECRET_CHARACTERS:
            raise ValueError(
                f"MCP_APP_SECRET: secret {number} of {len(secrets)} has {len(each)} characters; each needs"
                f" {MIN_SECRET_CHARACTERS} (several are separated by commas or spaces)"
            )
    return value


def _check_scopes(value: str) -> str:
    Hierarchy.read(value)
    return value


def _check_limits(value: str) -> str:
    parse_rules(value)
    return value


def _check_proxies(value: tuple[str, ...]) -> tuple[str, ...]:
    TrustedProxies(value)
    return value


class Settings(OAuthSettings):
    """Each field has a default, a unit and the reason for both."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a URL may have a password in it

    environment_prefix: ClassVar[str] = "MCP_APP_"

    public_url: Annotated[
        AnyHttpUrl | None, AfterValidator(names.check_public_url), BeforeValidator(names.check_written_url)
    ] = None
    """The URL at which callers reach the server, if it is not loopback: for the allowed Host, and before every path
    that is given out, where a proxy serves it below a path of its own."""

    allowed_hosts: Annotated[tuple[str, ...], AfterValidator(names.check_hosts), BeforeValidator(names.split)] = ()
    """Further names (host or host:port, comma separated) by which callers reach the server, beside that of public_url
    and loopback: exactly those, because a page whose own name points at the server could call it (DNS rebinding)."""

    allowed_origins: Annotated[tuple[str, ...], AfterValidator(names.check_origins), BeforeValidator(names.split)] = ()
    """Origins (scheme://host[:port], comma separated) whose pages may call: none by default, because a page of another
    site would call with the rights of the user who views it."""

    allow_anonymous: bool = False
    """Serve who shows no credentials: on addresses that other machines can reach, and where callers are asked who they
    are. They may do what needs no scope. For a private network, or behind a proxy that authenticates callers."""

    keys: Path | None = None
    """The file of API keys, which `mcp-app keys add` makes. With one, callers are asked who they are. None by default:
    a server on one's own machine asks nobody."""

    client_certificates: Annotated[str, AfterValidator(check_rules)] = ""
    """Which names in a client's certificate may call, and with which scopes, rules separated by semicolons:
    `uri:spiffe://example.org/agents/* -> read write; dns:jobs.example.org -> read`. None by default: whom `ca_certs` in
    hypercorn.toml trusts is somebody, but not somebody who may call."""

    scopes: Annotated[str, AfterValidator(_check_scopes)] = ""
    """Which scopes imply others, in chains that commas separate: `admin>write>read, audit>read`. None do by default:
    only who grants scopes knows what they mean."""

    limits: Annotated[str, AfterValidator(_check_limits)] = ""
    """What callers may have: rules such as `requests per principal 600/min`, separated by commas; `off` is none. They
    take the place of the defaults of the same name (config/limits.py has those, with their reasons), which hold where
    other machines reach the server, and spare who calls from this one."""

    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_check_proxies), BeforeValidator(names.split)] = ()
    """Networks or addresses (comma separated; `unix` for a Unix socket) of proxies whose Forwarded and X-Forwarded-*
    are believed: none by default, because anybody can send these fields, and a proxy that does not write them passes
    on what its client sends."""

    heartbeat_seconds: float = Field(default=15.0, gt=0, le=3600)
    """Seconds without a write before a heartbeat: well below the 60 s idle timeout of common proxies."""

    cap_seconds: float = Field(default=120.0, gt=0, le=86400)
    """Maximum age of a call's stream in seconds: longer work belongs in a detached run."""

    linger_seconds: float = Field(default=30.0, ge=0, le=3600)
    """Seconds that a run started by EventSource waits for its reader to reconnect: browsers do so within 3 to 5."""

    keep_seconds: float = Field(default=600.0, ge=0, le=86400)
    """Seconds for which a finished run can still be read: a laptop that slept for some minutes finds its result."""

    run_life_seconds: float = Field(default=3600.0, gt=0, le=604800)
    """Seconds after which a detached run is ended: it has no reader whose leaving could end it. So is a call over
    standard input and output, where no stream has a cap."""

    max_runs: int = Field(default=10_000, ge=1)
    """Maximum concurrent runs; further calls get 503: each run costs some KiB before its tool does anything."""

    threads: int = Field(default=32, ge=1, le=1024)
    """Maximum plain functions (not coroutines) running at once, one thread each; further ones wait for a thread."""

    processes: int | None = Field(default=None, ge=1, le=1024)
    """Maximum processes for tools with placement="process"; further calls wait for one. By default as many as there are
    processors, as what computes gains nothing from more."""

    keep_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Bytes of events and results kept for all finished runs together; the oldest runs are forgotten first. In memory
    the default is a quarter of what the process may use, where that is less."""

    keep_bytes_per_principal: int | None = Field(default=None, ge=1024 * 1024)
    """Of these, the bytes of one caller's runs. By default one caller may have all: where they do not suffice, whoever
    has most loses its oldest run first."""

    keep_runs: int = Field(default=100_000, ge=1)
    """Finished runs kept at once; the oldest are forgotten first: each costs a few KiB whatever it said."""

    keep_runs_per_principal: int | None = Field(default=None, ge=1)
    """Of these, one caller's. By default one caller may have all."""

    working_bytes: int | None = Field(default=None, ge=1024 * 1024)
    """Bytes that the runs being worked on may hold together: parameters, header fields, events and results; further
    calls get 503. By default a quarter of the memory that the process may use."""

    max_event_bytes: int = Field(default=1024 * 1024, ge=64 * 1024, le=16 * 1024 * 1024)
    """Bytes of one event: what a client can be expected to parse in one piece. A larger result is linked."""

    secret: Annotated[SecretStr | None, AfterValidator(_check_lengths), BeforeValidator(_as_secret)] = None
    """Seals the state that MCP clients hold between the rounds of one call, and the cookies of browsers that are signed
    in: 16 random characters or more, the same on every node and after a restart. Several, separated by commas or
    spaces, allow rotation: the first seals, all open. Without a secret each process generates its own: a call cannot be
    continued on another node, and after a restart browsers sign in again."""

    event_log: Annotated[LogAddress, BeforeValidator(parse_event_log)] = LogAddress()
    """Where runs are written down that somebody may come back to: in the memory of this process by default, which ends
    with what it knows; or in a log that several processes share, and that outlives each of them (config/event_log.py).
    """

    log_replicas: int = Field(default=0, ge=0, le=16)
    """Replicas of a Redis that must have an event before a reader is shown it. None by default: while this process
    lives, it appends again what a failover has lost; with one, nothing that was shown is lost where both die."""

    audit_log: Path | None = None
    """The file to which a line is appended when a call begins, and when it ends. None by default. A call of which no
    line can be written is refused with 503."""

    audit_arguments: bool = False
    """Whether the audit log has arguments as they are, up to 16 KiB of each call. By default it has their HMAC with
    `secret`: whoever reads the log learns nothing, and who has the call can show that it was this one."""

    session_idle_seconds: float = Field(default=1800.0, gt=0, le=604800)
    """Seconds after which an unused MCP session is ended: most clients never end theirs."""

    max_sessions: int = Field(default=10_000, ge=1)
    """Maximum MCP sessions; a further one ends the least recently used: each costs some KiB."""

    legacy_sse: bool = True
    """Whether a GET without a query opens the HTTP+SSE transport of MCP 2024-11-05, for clients that support no
    other."""

    @model_validator(mode="after")
    def _check_resource(self) -> Self:
        if self.oauth_issuers and self.public_url is None:
            raise ValueError(
                "MCP_APP_OAUTH_ISSUERS needs MCP_APP_PUBLIC_URL: tokens are for one server, by its address"
            )
        return self
