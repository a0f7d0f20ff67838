"""A request's body on its way in, for the fast lane: its parts, whether more will come, and the bound on all of them.

Reading and its time are the lane's; what a body means is the endpoint's.
"""

from __future__ import annotations

import math

from hypercorn.typing import ASGIReceiveEvent

from ..quart import blueprint as routes


class IncomingBody:
    """A request's body, of `most` bytes at most. Raises BodyTooLarge as soon as it says, or is, more."""

    __slots__ = ("_most", "_size", "given_up", "parts", "whole")

    def __init__(self, most: int | None) -> None:
        self._most = math.inf if most is None else most
        self._size = 0
        self.parts: list[bytes] = []
        self.whole = False
        """Nothing more of it will come."""
        self.given_up = False
        """The client left before its end."""

    def announce(self, length: int | None) -> None:
        if length is not None and length > self._most:
            raise routes.too_large()

    def take(self, message: ASGIReceiveEvent) -> None:
        if message["type"] != "http.request":
            self.whole = self.given_up = True
            return
        self.parts.append(message.get("body", b""))
        self._size += len(self.parts[-1])
        if self._size > self._most:
            raise routes.too_large()
        self.whole = not message.get("more_body", False)
