"""Follows redirects to the last page; each hop is checked, requested and listed. Used by several steps.

Judges nothing: `redirects.py` evaluates the hops.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.fetching import Reply, Session
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import Hop
from mcp_app.builtin.scan_domain.target import Target, TargetRefused, follow

MAX_HOPS = 10
"""Maximum redirects followed; browsers stop at 20, and sites need far fewer."""

REDIRECTS = (301, 302, 303, 307, 308)

End = Literal["page", "loop", "too_many", "refused", "broken"]


@dataclass(frozen=True)
class Journey:
    """The end of a journey and its reason."""

    end: End
    reply: Reply | None
    """The last page, when there is one."""
    problem: str = ""
    upgraded_by: int | None = None
    """Status of the hop that led from http to https."""
    downgraded: bool = False
    """A hop led from https to http."""


async def travel(session: Session, start: Target, note: Callable[[Hop], None], ports: frozenset[int]) -> Journey:
    """Follow redirects from `start`, noting every hop as it is made. Raises Unreachable when the first one fails."""
    target = start
    seen = {start.url}
    upgraded_by, downgraded = None, False
    for number in range(MAX_HOPS + 1):
        hop = Hop(url=quoted(target.url))
        note(hop)
        try:
            reply = await session.get(target)
        except outgoing.Unreachable as exc:
            hop.problem = exc.message
            if number == 0:
                raise
            refused = exc.reason in ("refused_address", "refused_port")
            return Journey("refused" if refused else "broken", None, exc.message, upgraded_by, downgraded)
        hop.status_code, hop.address = reply.status, reply.address
        if target.scheme == "https" and not reply.trusted:
            hop.problem = "its certificate is not trusted"
        location = reply.value("location")
        if reply.status not in REDIRECTS or location is None:
            return Journey("page", reply, "", upgraded_by, downgraded)
        hop.location = quoted(location)
        try:
            following = follow(target, location, ports)
        except TargetRefused as exc:
            hop.problem = f"not followed: {exc}"
            return Journey("refused", None, str(exc), upgraded_by, downgraded)
        if (target.scheme, following.scheme) == ("http", "https"):
            upgraded_by = upgraded_by or reply.status
        downgraded = downgraded or (target.scheme, following.scheme) == ("https", "http")
        if following.url in seen:
            return Journey("loop", None, quoted(following.url), upgraded_by, downgraded)
        seen.add(following.url)
        target = following
    return Journey("too_many", None, f"more than {MAX_HOPS}", upgraded_by, downgraded)
