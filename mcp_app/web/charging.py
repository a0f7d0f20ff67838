"""What a request is charged: itself when it comes, then to its caller, and its stream for as long as that is open.

What is limited is not decided here (mcp_app/limits), nor who calls.
"""

from __future__ import annotations

from ..limits.charges import Charges, Hold
from ..protocol.payer import Payer, payer_of
from .frames import Frames
from .messages import Answer, Request


class StreamPlace:
    """The place among the open streams that a request may take. Who answers it with a stream takes it before anything
    is begun; whatever the answer is, it is settled."""

    __slots__ = ("_charges", "_hold", "_payer", "_settled")

    def __init__(self, charges: Charges, payer: Payer) -> None:
        self._charges = charges
        self._payer = payer
        self._hold: Hold | None = None
        self._settled = False

    def take(self, tool: str | None = None) -> None:
        """The answer may be a stream: of the events of that tool's run, or of no tool's. Raises RateLimited. Taking it
        again does nothing."""
        if self._hold is None and not self._settled:
            self._hold = self._charges.stream(self._payer, tool)

    def settle(self, answer: Answer | None) -> None:
        """The request is answered, or never will be. A stream has the place until it is closed."""
        self._settled = True
        if self._hold is None:
            return
        if answer is not None and isinstance(answer.body, Frames):
            answer.body.after_close(self._hold.release)
        else:
            self._hold.release()


def charge(request: Request, charges: Charges) -> None:
    """It is known who has sent the request: fill in who pays for it. Raises RateLimited."""
    principal = None if request.access.anonymous else request.access.principal
    request.payer = payer = payer_of(principal, request.peer)
    if payer.local and charges.spares_local:
        return
    charges.request(payer)
    if charges.limits_streams:
        request.place = StreamPlace(charges, payer)


def take_place(request: Request, tool: str | None = None) -> None:
    """`StreamPlace.take`, where streams are limited."""
    if request.place is not None:
        request.place.take(tool)
