"""What a process does when another that shares its log tells it something of a session.

What is told, the documents, and who holds an outbox, are in shared_sessions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....nodes import Node
from ....nodes.letters import Letter
from ....protocol.mcp.jsonrpc import RpcResponse
from .register import Sessions
from .session import Session
from .session_record import SessionRecord
from .shared_sessions import SharedRecord, SharedSessions


class SessionLetters:
    """Reacts to the letters of other processes. One about a session that is not known here is left out: no run of this
    process waits for it."""

    def __init__(self, node: Node, sessions: Sessions, shared: SharedSessions) -> None:
        self._sessions = sessions
        self._shared = shared
        reactions: dict[str, Callable[[Session, Letter], Any]] = {
            "session.message": self._message,
            "session.changed": self._changed,
            "session.ended": self._ended,
            "session.cancelled": self._cancelled,
            "session.response": self._response,
            "session.resumed": self._resumed,
        }
        for kind, reaction in reactions.items():
            node.post.on(kind, self._about(reaction))
        node.post.on("session.give_up", self._give_up)
        node.post.on("session.hold", self._hold)

    def _about(self, reaction: Callable[[Session, Letter], Any]) -> Callable[[Letter], Any]:
        def react(letter: Letter) -> Any:
            session = self._sessions.here(letter["session"])
            return None if session is None else reaction(session, letter)

        return react

    def _message(self, session: Session, letter: Letter) -> None:
        session.outbox.send(letter["message"].encode())  # which sends it on where the outbox is held by now

    def _changed(self, session: Session, letter: Letter) -> None:
        record = SessionRecord.decoded(letter["record"].encode())
        self._shared.learn(session, SharedRecord(record, letter["version"]))

    def _ended(self, session: Session, letter: Letter) -> None:
        self._sessions.end_here(session)

    def _cancelled(self, session: Session, letter: Letter) -> None:
        session.cancel(letter["request"])

    def _response(self, session: Session, letter: Letter) -> None:
        session.receive_response(RpcResponse(**letter["response"]))

    def _resumed(self, session: Session, letter: Letter) -> None:
        session.resumed_elsewhere(letter["run"])

    async def _give_up(self, letter: Letter) -> bool:
        session = self._sessions.here(letter["session"])
        return session is None or await self._shared.give_up(session, unless_held=True)

    async def _hold(self, letter: Letter) -> None:
        if (session := await self._sessions.look_up(letter["session"])) is not None:
            await self._shared.hold(session)
