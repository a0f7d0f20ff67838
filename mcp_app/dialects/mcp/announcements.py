"""Tells the other processes that share a log what has changed here, and the clients of this one what has changed there.

Which clients are told, and how, is decided by the listeners.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ...eventlog.shared import RETRY_SECONDS
from ...nodes import Node
from ...nodes.letters import Letter
from ...protocol.errors import LogUnavailable
from .changes import ChangeListener, Needed

SETTLE_SECONDS = 1.0
"""How long a shutdown waits until the others have been told: one write to the log."""


class TaskListener(ChangeListener, Protocol):
    """Notifies clients also of the states of tasks."""

    def task_changed(self, task: str) -> None:
        """Called when the state of a task has changed."""


class Announcements:
    """A listener whose clients are the other processes. Changes of the same subject are merged until they are sent."""

    def __init__(self, node: Node, tasks: TaskListener, *listeners: ChangeListener) -> None:
        """`tasks` and `listeners` notify the clients of this process."""
        self._post = node.post
        self._listeners = (tasks, *listeners)
        self._pending: dict[tuple[str, str], Letter] = {}
        self._sending: asyncio.Task[None] | None = None
        node.post.on("list_changed", self._list_changed_there)
        node.post.on("resource_updated", self._resource_updated_there)
        node.post.on("task_changed", lambda letter: tasks.task_changed(letter["subject"]))

    # --- here --------------------------------------------------------------------------------------------------------

    def list_changed(self, kind: str, needed: Needed) -> None:
        self._announce("list_changed", kind, needed)

    def resource_updated(self, uri: str, needed: Needed) -> None:
        self._announce("resource_updated", uri, needed)

    def task_changed(self, task: str) -> None:
        self._announce("task_changed", task)

    async def settled(self) -> None:
        """Wait until the others have been told."""
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=SETTLE_SECONDS)
            self._sending.cancel()

    def _announce(self, kind: str, subject: str, needed: Needed = frozenset()) -> None:
        before = self._pending.pop((kind, subject), {"needed": []})["needed"]
        scopes = {frozenset(each) for each in before} | needed
        self._pending[kind, subject] = {"do": kind, "subject": subject, "needed": [sorted(each) for each in scopes]}
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="announcements to other processes")

    async def _send(self) -> None:
        while self._pending:
            letter = self._pending.pop(next(iter(self._pending)))
            while True:
                try:
                    await self._post.tell_all(letter)
                except LogUnavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                break

    # --- there -------------------------------------------------------------------------------------------------------

    def _list_changed_there(self, letter: Letter) -> None:
        for each in self._listeners:
            each.list_changed(letter["subject"], _needed(letter))

    def _resource_updated_there(self, letter: Letter) -> None:
        for each in self._listeners:
            each.resource_updated(letter["subject"], _needed(letter))


def _needed(letter: Letter) -> Needed:
    return frozenset(frozenset(each) for each in letter["needed"])
