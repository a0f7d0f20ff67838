"""Sessions of several processes that share a log: their records as documents, and who of them holds the outbox.

Any process takes any request of a session: it reads the record before, and changes it by compare and swap. One process
holds the outbox, and the client's own stream; the others send it what they have for the client. What they tell each
other is answered in session_letters.py, the sessions of one process are in register.py.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from ....nodes import Node
from ....protocol.access import Access
from ....protocol.errors import LogUnavailable
from ....protocol.event import decode, encode
from ....protocol.mcp.jsonrpc import Code, Id, RpcError, RpcResponse
from ....web.messages import Request
from .forwarding import write_post
from .outbox import KeptMessages
from .session import Session
from .session_record import SessionRecord
from .shared_referrals import SharedReferrals

logger = logging.getLogger("mcp_app.mcp")

RENEWALS = 4
"""How often the time of a session in use is written within its idle timeout: one that is not may so end a quarter of
that early."""

ASK_SECONDS = 5.0
"""How long a client that opens its stream waits for what the process before it has for it: that writes a document."""


_NODE = re.compile("[0-9a-f]{1,64}", re.ASCII)


class SharedRecord(NamedTuple):
    """A session's record, and the version of its document."""

    record: SessionRecord
    version: int


class KeptOutbox(NamedTuple):
    """What a process leaves when it gives up an outbox, and how many losses there had been by then."""

    losses: int
    messages: KeptMessages


class SharedSessions:
    """The documents of sessions, and their hand-over from one process to another. `clock` is the event loop's."""

    def __init__(self, node: Node, idle_seconds: float, clock: Callable[[], float]) -> None:
        self._node = node
        self._log = node.log
        self._idle_seconds = idle_seconds
        self._clock = clock
        self.renew_seconds = idle_seconds / RENEWALS

    # --- the record --------------------------------------------------------------------------------------------------

    async def create(self, session: Session) -> None:
        """Write the record of a session that begins here. Raises LogUnavailable."""
        session.shared, session.referrals = self, SharedReferrals(self._node, session.id)
        session.record.holder = self._node.id
        session.record.touched = now = self._node.now()
        await self._log.put(_name(session.id), session.record.encoded(), now + self._idle_seconds, 0)
        session.version, session.written = 1, self._clock()

    async def copy(self, session: Session) -> None:
        """A session that began elsewhere is known here from now on. Raises LogUnavailable."""
        session.shared, session.referrals = self, SharedReferrals(self._node, session.id)
        session.outbox.forward = self.forward(session)
        session.written = self._clock() - max(0.0, self._node.now() - session.record.touched)

    async def read(self, session_id: str) -> SharedRecord | None:
        """The record as it is now; None for a session that has ended. Raises LogUnavailable."""
        found = await self._log.get(_name(session_id))
        return None if found is None else SharedRecord(SessionRecord.decoded(found.value), found.version)

    async def change(self, session: Session, change: Callable[[SessionRecord], None]) -> None:
        """Change the record, whoever else changes it. Raises what `change` raises, LogUnavailable, and RpcError for a
        session that has ended."""
        known, now = SharedRecord(session.record, session.version), self._node.now()
        while True:
            changed = SessionRecord.decoded(known.record.encoded())
            change(changed)
            changed.touched = now
            written = changed.encoded()
            other = await self._log.put(_name(session.id), written, now + self._idle_seconds, known.version)
            if other is None or (other.version == known.version + 1 and other.value == written):
                break  # also where it is this very change, whose answer was lost
            if not other.version:
                raise no_session()
            known = SharedRecord(SessionRecord.decoded(other.value), other.version)
        self.learn(session, SharedRecord(changed, known.version + 1))
        session.written = self._clock()
        if not self.held(session):
            letter = {"session": session.id, "version": session.version, "record": written.decode()}
            self._node.post.tell(changed.holder, {"do": "session.changed", **letter})

    def learn(self, session: Session, found: SharedRecord) -> None:
        """Take over a record, unless a newer one is known."""
        if found.version > session.version:
            session.record, session.version = found

    async def renew(self, session: Session, access: Access | None = None) -> None:
        """The session is used: put off its end, and remember what its caller may be told. Raises as `change`."""
        record, now = session.record, self._clock()
        if access is not None and record.tells_otherwise(access):
            await self.change(session, lambda changed: changed.set_access(access))
        elif now - session.written >= self.renew_seconds:
            session.written = now  # others that come meanwhile need not
            await self.change(session, lambda _: None)

    async def remove(self, session: Session) -> None:
        """The session has ended, in every process."""
        await self._log.delete(_name(session.id))
        await self._log.delete(_outbox_name(session.id))
        await self._node.post.tell_all({"do": "session.ended", "session": session.id})

    # --- what the others have to know --------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """Of the ids of this process's requests to clients: any process can so tell whose request a client answers."""
        return f"{self._node.id}."

    def respond(self, session: Session, response: RpcResponse) -> None:
        """A client has answered a request that another process made."""
        node, _, _ = str(response.id).partition(".")
        if not _NODE.fullmatch(node):
            return
        written = {"id": response.id, "result": response.result, "error": response.error}
        self._node.post.tell(node, {"do": "session.response", "session": session.id, "response": written})

    async def cancel(self, session: Session, request: Id) -> None:
        """A client cancels a request that another process may be working on. Raises LogUnavailable."""
        await self._node.post.tell_all({"do": "session.cancelled", "session": session.id, "request": request})

    async def keep_batch(self, session: Session, name: str, runs: Sequence[str]) -> None:
        """Any process can go on with the stream of that name. Raises LogUnavailable."""
        await self._log.put(_batch_name(session.id, name), encode(runs), self._node.now() + self._idle_seconds)

    async def batch(self, session: Session, name: str) -> Sequence[str] | None:
        """The runs of the stream of that name; None for none. Raises LogUnavailable."""
        found = await self._log.get(_batch_name(session.id, name))
        return None if found is None else cast("list[str]", decode(found.value))

    async def post(self, session: Session, request: Request) -> bool:
        """A message to a session whose stream another process has: that one receives it. Returns whether it is there.
        Raises what it answers, LogUnavailable."""
        holder = session.record.holder
        if holder not in await self._log.nodes():
            return False
        try:
            await self._node.post.ask(holder, write_post(session.id, request), ASK_SECONDS)
        except TimeoutError:
            raise LogUnavailable("The process that has the stream of this session does not answer.") from None
        return True

    async def resumed(self, session: Session, run: str) -> None:
        """A stream of this run is opened here: "the server MUST send each of its JSON-RPC messages on only one of the
        connected streams" (2025-11-25, Multiple Connections). Raises LogUnavailable."""
        await self._node.post.tell_all({"do": "session.resumed", "session": session.id, "run": run})

    # --- the outbox --------------------------------------------------------------------------------------------------

    def held(self, session: Session) -> bool:
        """Whether this process is the one that holds the outbox."""
        return session.record.holder == self._node.id

    def forward(self, session: Session) -> Callable[[bytes], None]:
        """Sends a message to the process that holds the outbox."""

        def send(message: bytes) -> None:
            if self._node.present and not self.held(session):
                letter = {"do": "session.message", "session": session.id, "message": message.decode()}
                self._node.post.tell(session.record.holder, letter)

        return send

    async def hold(self, session: Session) -> None:
        """Hold the outbox from now on. Its messages come from the process that held it, or from what that one left when
        it stopped; where it left nothing they are lost, and who asks for them is told so. Raises as `change`."""
        outbox = session.outbox
        async with session.lock:
            if outbox.opened and self.held(session):
                return
            before = session.record.holder

            def take(record: SessionRecord) -> None:
                nonlocal before
                before, record.holder = record.holder, self._node.id

            await self.change(session, take)
            if outbox.opened:
                if outbox.losses == session.record.losses:  # who took it has not asked for it yet
                    return
                await outbox.give_up(self.forward(session))  # while this process was taken for dead
            outbox.forward = None  # what is sent from now on waits here
            if not await self._given_up(session, before):
                outbox.forward = self.forward(session)
                return
            kept = await self._log.get(_outbox_name(session.id))
            left = None if kept is None else KeptOutbox(*decode(kept.value))
            if left is None or left.losses != session.record.losses:  # or of one that gave it up too late
                left = None
                await self.change(session, SessionRecord.count_loss)
            await outbox.open(
                None if left is None else KeptMessages(*left.messages),
                session.record.losses,
                told=bool(session.record.subscriptions),
            )
            await self._log.delete(_outbox_name(session.id))

    async def reclaim(self, session: Session) -> None:
        """This process has lost its lease, and is another node now: it holds the outbox again, unless another process
        has taken it meanwhile. Raises as `change`."""
        async with session.lock:
            if not session.outbox.opened:
                return
            before = session.record.holder

            def take(record: SessionRecord) -> None:
                if record.holder == before:
                    record.holder = self._node.id

            await self.change(session, take)
            if not self.held(session):  # what it had is told as lost there
                await session.outbox.give_up(self.forward(session))

    async def _given_up(self, session: Session, before: str) -> bool:
        """Whether the process that held the outbox does so no longer: it has given it up, has gone, or hangs. False if
        it has taken it again."""
        if before == self._node.id or before not in await self._log.nodes():
            return True
        try:
            given_up = await self._node.post.ask(before, {"do": "session.give_up", "session": session.id}, ASK_SECONDS)
        except TimeoutError:
            logger.warning("the node %s does not give up the messages of a session", before)
            return True
        if not given_up and (found := await self.read(session.id)) is not None:
            self.learn(session, found)
        return bool(given_up)

    async def give_up(self, session: Session, *, unless_held: bool = False) -> bool:
        """Hold the outbox no longer: its messages are left for the next process. `unless_held`: not if this process is
        to hold it, by the record as it is now. Returns whether it is held no longer. Raises LogUnavailable."""
        async with session.lock:
            if unless_held and (found := await self.read(session.id)) is not None:
                self.learn(session, found)
                if self.held(session):
                    return False
            if session.outbox.opened:
                messages = await session.outbox.give_up(self.forward(session))
                until = self._node.now() + self._idle_seconds
                await self._log.put(
                    _outbox_name(session.id), encode(KeptOutbox(session.record.losses, messages)), until
                )
            return True

    async def leave(self, session: Session) -> None:
        """This process stops: its outbox is for another one, as what came for the client meanwhile would be lost."""
        if session.outbox.opened:
            await self.give_up(session)
            if others := await self._log.nodes() - {self._node.id}:
                self._node.post.tell(secrets.choice(sorted(others)), {"do": "session.hold", "session": session.id})


def no_session() -> RpcError:
    """The answer to a request of a session that is not known."""
    return RpcError(Code.INVALID_REQUEST, "There is no such session, or it has ended.", status=404)


def _name(session: str) -> str:
    return f"session/{session}"


def _outbox_name(session: str) -> str:
    return f"session/{session}/outbox"


def _batch_name(session: str, batch: str) -> str:
    return f"session/{session}/batch/{batch}"
