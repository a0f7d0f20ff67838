"""`Access`: what a caller's verified credentials give: who it is, what it may do, until when.

Pure. How credentials are verified is not known here (mcp_app/auth), nor what needs which scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Access:
    """One caller, as far as its credentials go. Runs, sessions, tasks and states are found again by `principal` alone:
    new credentials of the same principal are the same caller.

    `scopes` are those granted, with all that they imply; None for whatever there is: on one's own machine, over
    standard input and output, and for whom the application around us has signed in. `expires` is in Unix seconds.
    `claims` are a token's, and never logged. `credential` names what can end before that: a key's id, with a sign-in's
    where a page has shown the key; a token's digest; a certificate's number. `run_key` is a ticket's: nothing but the
    call by EventSource with this run key is open to it.
    """

    principal: str
    """"anonymous", "key:ID", "ISSUER SUBJECT", "certificate:…", a name that the application around us gives, "local"
    over standard input and output."""

    scopes: frozenset[str] | None = None
    steps_up: bool = False
    """Whether its holder can get a token of more scopes (OAuth): it sees every tool, and is told which scope it lacks.
    Who cannot, as the holder of a key, sees what it may call."""

    expires: float | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    credential: str = ""
    run_key: str | None = None
    ticket: str = field(default="", repr=False, compare=False)
    """The digest of the ticket, where tickets are shared by several processes."""

    @property
    def anonymous(self) -> bool:
        """Whether nobody knows who this is."""
        return self.principal == _NOBODY

    @property
    def ends(self) -> bool:
        """Whether it can end while its holder is served: it expires, or can be revoked."""
        return self.expires is not None or self.credential != ""

    def may(self, needed: frozenset[str]) -> bool:
        """Whether it may do what needs all of these scopes."""
        return self.scopes is None or needed <= self.scopes

    def sees(self, needed: frozenset[str]) -> bool:
        """Whether it is told that there is something which needs these scopes."""
        return self.steps_up or self.may(needed)


_NOBODY = "anonymous"

ANONYMOUS = Access(_NOBODY)
"""Whoever calls on our own machine, where nobody is asked who they are: everything is open."""

UNKNOWN = Access(_NOBODY, frozenset())
"""Who shows no credentials where callers are asked for them, or MCP_APP_ALLOW_ANONYMOUS lets anybody call: only what
needs no scope is open."""
