"""A message to a session of HTTP+SSE that came to another process than the one with the session's stream, which is the
one to work on it: the request as a letter, and back. What is done with the message is in http_sse.py.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ....nodes.letters import Letter
from ....protocol.access import Access
from ....protocol.payer import Payer
from ....web.messages import Request

_PLAIN = ("method", "path", "headers", "peer", "scheme", "http_version", "root_path")


def write_post(session: str, request: Request) -> Letter:
    """The letter, of a request whose body is JSON and whose caller is known."""
    access = asdict(request.access)
    if request.access.scopes is not None:
        access["scopes"] = sorted(request.access.scopes)
    return {
        "do": "session.post",
        "session": session,
        "body": request.body.decode(),
        "access": access,
        "payer": list(request.payer),
        "plain": {name: getattr(request, name) for name in _PLAIN},
    }


def read_post(letter: Letter) -> Request:
    """The request of the letter. It has been charged for where it came, and takes no place of a stream."""
    access: dict[str, Any] = dict(letter["access"])
    if access["scopes"] is not None:
        access["scopes"] = frozenset(access["scopes"])
    return Request(
        **letter["plain"], body=letter["body"].encode(), access=Access(**access), payer=Payer(*letter["payer"])
    )
