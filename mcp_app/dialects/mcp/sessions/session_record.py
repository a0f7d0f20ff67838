"""What a session's client has said: plain values, which any process that shares the log can have, and their JSON.

What of a session is live (its outbox, its runs, what it is asked) is in session.py, and stays in one process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ....protocol.access import Access
from ....protocol.errors import LogUnavailable, Overloaded
from ....protocol.event import decode, encode
from ....protocol.mcp.revisions import SESSION_REVISIONS, SessionRevision, negotiated
from ....protocol.policy import ROWS, Policy

SESSION_FORMAT = 1
"""The format of records that this release writes; it reads this one and the one before."""

MAX_SUBSCRIPTIONS = 1000
"""Resources that one session can subscribe to. The list is kept as long as the session, and without a limit its length
would be up to the client."""

MAX_URI_CHARACTERS = 256 * 1024
"""Characters of their URIs, as they were sent and in their normal form: without it, each could keep most of a request's
body."""

DEFAULT_LEVEL = "info"
"""The level of log messages until the client sets another: "the server MAY decide which messages to send automatically"
(2025-11-25, Logging)."""

_POLICIES = {each.name: each for each in ROWS}


@dataclass(slots=True)
class SessionRecord:
    """One client's session. `policy` applies to its requests. Over Streamable HTTP it is None until `initialize`."""

    access: Access
    """The caller's, as its last request had it. The principal is always the same: that of who began the session."""
    policy: Policy | None = None
    revision: SessionRevision = field(default_factory=lambda: negotiated(None))
    capabilities: dict[str, Any] | None = None
    """The client's capabilities that exist in the revision; None until `initialize`."""
    initialized: bool = False
    level: str = DEFAULT_LEVEL
    subscriptions: dict[str, dict[str, None]] = field(default_factory=dict)
    """The subscribed resources: normalised URI -> the spellings that the client subscribed to."""
    # Where several processes share a log:
    holder: str = ""
    """The node that has the client's own stream, and the messages for it."""
    losses: int = 0
    """How often a node took these messages with it."""
    touched: float = 0.0
    """When the session was last used, about, in seconds since the epoch by the log's clock."""

    def initialize(self, requested: str, declared: dict[str, Any]) -> None:
        """The client's `initialize`: the revision that it requested, and its capabilities."""
        self.revision = negotiated(requested)
        self.capabilities = self.revision.capabilities(declared)
        if self.policy is None:
            self.policy = self.revision.policy

    def begin(self) -> None:
        """notifications/initialized. Does nothing before `initialize`."""
        self.initialized = self.capabilities is not None

    def set_level(self, level: str) -> None:
        self.level = level

    def subscribe(self, uri: str, normal: str) -> None:
        """Subscribe to a resource; `normal` is its normalised URI. Raises Overloaded above MAX_SUBSCRIPTIONS, and above
        MAX_URI_CHARACTERS."""
        spellings = self.subscriptions.get(normal, {})
        if uri in spellings:
            return
        known = sum(len(each) for each in (*self.subscriptions, *chain.from_iterable(self.subscriptions.values())))
        if known + len(uri) + len(normal) > MAX_URI_CHARACTERS:
            raise Overloaded(f"The URIs of a session's subscriptions have at most {MAX_URI_CHARACTERS} characters.")
        if sum(map(len, self.subscriptions.values())) >= MAX_SUBSCRIPTIONS:
            raise Overloaded(f"A session is told of at most {MAX_SUBSCRIPTIONS} resources.")
        self.subscriptions[normal] = {**spellings, uri: None}

    def unsubscribe(self, uri: str, normal: str) -> None:
        """Undo `subscribe`. Does nothing without a subscription."""
        spellings = self.subscriptions.get(normal, {})
        spellings.pop(uri, None)
        if not spellings:
            self.subscriptions.pop(normal, None)

    def set_access(self, access: Access) -> None:
        """A request came with that access. The principal is the same."""
        self.access = access

    def tells_otherwise(self, access: Access) -> bool:
        """Whether who has that access may be told other things."""
        return access.scopes != self.access.scopes or access.steps_up != self.access.steps_up

    def count_loss(self) -> None:
        self.losses += 1

    # --- as JSON -----------------------------------------------------------------------------------------------------

    def encoded(self) -> bytes:
        scopes = self.access.scopes
        return encode(
            {
                "format": SESSION_FORMAT,
                "principal": self.access.principal,
                # Of the access only what decides of what its holder is told: never claims or credentials.
                "scopes": None if scopes is None else sorted(scopes),
                "steps_up": self.access.steps_up,
                "policy": None if self.policy is None else self.policy.name,
                "revision": self.revision.version,
                "capabilities": self.capabilities,
                "initialized": self.initialized,
                "level": self.level,
                "subscriptions": {normal: list(spellings) for normal, spellings in self.subscriptions.items()},
                "holder": self.holder,
                "losses": self.losses,
                "touched": self.touched,
            }
        )

    @classmethod
    def decoded(cls, data: bytes) -> SessionRecord:
        """What `encoded` made. Raises LogUnavailable for what a newer release wrote: that release can answer."""
        known = decode(data)
        if known["format"] > SESSION_FORMAT:
            raise LogUnavailable("The session was written by a newer release, which can answer.")
        scopes, policy = known["scopes"], known["policy"]
        return cls(
            Access(known["principal"], None if scopes is None else frozenset(scopes), known["steps_up"]),
            None if policy is None else _POLICIES[policy],
            SESSION_REVISIONS[known["revision"]],
            known["capabilities"],
            known["initialized"],
            known["level"],
            {normal: dict.fromkeys(spellings) for normal, spellings in known["subscriptions"].items()},
            known["holder"],
            known["losses"],
            known["touched"],
        )
