"""Letters between nodes: told in order, or asked with a reply. What the letters say is not known here.

All that is to be told to one node goes in one message, while the message before it is on its way: many readers cost few
messages.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from ..eventlog.shared import RETRY_SECONDS, SharedLog
from ..protocol.errors import InternalError, LogUnavailable, McpAppError
from . import letters
from .letters import Letter

logger = logging.getLogger("mcp_app.nodes")

MAX_ANSWERED = 10_000
"""Letters whose answers are remembered, so that one which is sent again is not done again: as many as a log keeps for
one node."""

RECEIVE_SECONDS = 30.0
"""How long one wait for messages lasts: the log wakes it, so this only bounds what a lost wake-up costs."""

Reaction = Callable[[Letter], Any]
"""What is done about a letter; what it returns is the reply, or an awaitable of it."""


class Post:
    """The letters of one node. `on` says what is done about each kind of them; those of no kind that is known are left
    out, as a newer release may send them. `on_dead` is called with a node that was told something and
    has no lease, `on_away` when the log could not be reached: what came meanwhile may be lost."""

    def __init__(self, log: SharedLog) -> None:
        self._log = log
        self._reactions: dict[str, Reaction] = {"reply": self._replied}
        self._waiting: dict[str, asyncio.Future[Letter]] = {}
        self._answers: OrderedDict[str, asyncio.Future[dict[str, Any]]] = OrderedDict()
        self._outgoing: dict[str, list[Letter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._receiving: asyncio.Task[None] | None = None
        self.node = ""
        self.on_dead: Callable[[str], None] = lambda node: None
        self.on_away: Callable[[], None] = lambda: None

    def on(self, kind: str, reaction: Reaction) -> None:
        """`reaction` is called with each letter of this kind, in the order in which one node has sent them."""
        self._reactions[kind] = reaction

    def tell(self, node: str, letter: Letter) -> None:
        """Send it behind those before it. It is lost with the node, or when this process ends."""
        if node in self._outgoing:
            self._outgoing[node].append(letter)
        else:
            self._outgoing[node] = [letter]
            self.in_background(self._send_all(node), f"letters to {node[:8]}")

    async def ask(self, node: str, letter: Letter, seconds: float, id: str | None = None) -> Any:  # noqa: A002
        """The reply to the letter, which is done once however often it is sent with this id. Raises the error of the
        reply, and TimeoutError when there is none within the seconds."""
        id = id or secrets.token_hex(16)  # noqa: A001
        reply: asyncio.Future[Letter] = asyncio.get_running_loop().create_future()
        self._waiting[id] = reply
        try:
            self.tell(node, {**letter, "id": id, "from": self.node})
            async with asyncio.timeout(seconds):
                answer = await reply
        finally:
            del self._waiting[id]
        if "error" in answer:
            raise letters.error_of(answer["error"])
        return answer["value"]

    async def tell_all(self, letter: Letter) -> None:
        """Send it to every other node. Raises LogUnavailable."""
        await self._log.publish(self.node, letters.write([letter]))

    def begin(self, node: str) -> None:
        """React to what comes for this node, which takes the place of the one before."""
        if self._receiving is not None:
            self._receiving.cancel()
        self.node = node
        self._receiving = self.in_background(self._receive(node), f"letters for {node[:8]}")

    async def _receive(self, node: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                messages = await self._log.receive(node, loop.time() + RECEIVE_SECONDS)
            except LogUnavailable:
                self.on_away()
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # a defect of a log: a node that hears nothing would be dead for all that others ask
                logger.exception("the messages for node %s cannot be received", node)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                for message in messages:
                    self._open(message)

    def in_background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do it in a task that ends with this post."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Give up what is being sent, and what is waited for."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for reply in self._waiting.values():
            reply.cancel()

    # -----------------------------------------------------------------------------------------------------------------

    async def _send_all(self, node: str) -> None:
        try:
            while waiting := self._outgoing[node]:
                self._outgoing[node] = []
                if not await self._send(node, letters.write(waiting)):
                    self.on_dead(node)
        finally:
            del self._outgoing[node]

    async def _send(self, node: str, message: bytes) -> bool:
        """Whether the node is there. It tries for as long as the log cannot be reached."""
        while True:
            try:
                return await self._log.send(node, message)
            except LogUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _open(self, message: bytes) -> None:
        try:
            opened = letters.read(message)
        except ValueError:
            logger.exception("a message of another process cannot be read")
            return
        for letter in opened:
            if (reaction := self._reactions.get(letter["do"])) is None:
                continue
            if "id" in letter and letter["do"] != "reply":
                self.in_background(self._answer(letter, reaction), f"letter {letter['do']}")
            else:
                self._react(letter, reaction)

    def _react(self, letter: Letter, reaction: Reaction) -> None:
        if inspect.iscoroutinefunction(reaction):
            # Called in its task: what is made for a task that never begins, as the post is closed, is never awaited.
            self.in_background(self._follow(letter, reaction), f"letter {letter['do']}")
            return
        try:
            reaction(letter)
        except Exception:
            logger.exception("a letter %r of another process could not be followed", letter["do"])

    async def _follow(self, letter: Letter, reaction: Reaction) -> None:
        try:
            await reaction(letter)
        except Exception:
            logger.exception("a letter %r of another process could not be followed", letter["do"])

    async def _answer(self, letter: Letter, reaction: Reaction) -> None:
        """Do it once, and reply each time that it comes."""
        answer = self._answers.get(letter["id"])
        if answer is None:
            answer = self._answers[letter["id"]] = asyncio.get_running_loop().create_future()
            if len(self._answers) > MAX_ANSWERED:
                self._answers.popitem(last=False)
            answer.set_result(await self._reply(letter, reaction))
        reply = await asyncio.shield(answer)
        self.tell(letter["from"], {"do": "reply", "id": letter["id"], **reply})

    async def _reply(self, letter: Letter, reaction: Reaction) -> dict[str, Any]:
        try:
            done = reaction(letter)
            return {"value": await done if inspect.isawaitable(done) else done}
        except McpAppError as error:
            return {"error": letters.error_object(error)}
        except Exception as error:
            error_id = os.urandom(8).hex()
            logger.exception("a letter failed: %r [error_id %s]", letter["do"], error_id, exc_info=error)
            failed = InternalError("The process that works on the run failed to answer.", error_id=error_id)
            return {"error": letters.error_object(failed)}

    def _replied(self, letter: Letter) -> None:
        reply = self._waiting.get(letter["id"])
        if reply is not None and not reply.done():
            reply.set_result(letter)
