"""Ends what goes on with credentials that have expired or were revoked: streams, and runs that do not outlive them.

A request's credentials are verified when it comes; a stream, and a run, may last for hours after that. A sign-in that
its holder has ended has expired. Who verifies credentials is not known here, nor what a last message looks like.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from ..protocol.access import Access
from ..protocol.errors import CredentialsExpired, McpAppError, Revoked
from ..protocol.policy import OnLeave
from ..runs import Runs
from .frames import Frames

logger = logging.getLogger("mcp_app.access")

LOOK_SECONDS = 3.0
"""Between two looks. With the 5 s in which a change of the file of keys is read, what was revoked ends within 10 s."""

ASK_SECONDS = 3.0
"""Of one look, for all that verifiers are asked: who was not asked in time is asked first at the next."""

ASK_AT_ONCE = 16
"""Questions to verifiers: an answer that does not come keeps no others from theirs."""

LAST_EVENT_SECONDS = 0.1
"""What the streams of a run that was stopped have for its last event, before they are ended themselves."""

Revocation = Callable[[Access], Awaitable[bool]]
"""Whether what a caller was given this access for holds no more."""

_Key = tuple[str, str, float | None]


class CredentialWatch:
    """Looks at all open streams and at the runs at work, as long as there are any whose access can end. `now` is in
    Unix seconds. Must be created on the event loop."""

    def __init__(
        self,
        runs: Runs,
        revoked: Revocation,
        signed_out: Callable[[Access], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._runs = runs
        self._revoked = revoked
        self._signed_out = signed_out
        self._now = now
        self._streams: dict[Frames, Access] = {}
        self._unasked: dict[_Key, None] = {}
        """Whom the last look had no time to ask about."""
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, stream: Frames | None, access: Access) -> None:
        """A request of this access was answered, with a stream or not; it may have started a run."""
        if stream is not None:
            self._streams[stream] = access
            stream.watch(self._forget)
        if self._timer is None:
            self._schedule()

    def close(self) -> None:
        """Look no more. Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()

    async def look(self) -> None:
        """End what has no valid credentials any more."""
        runs = [run for run in self._runs.at_work if run.access.ends]
        ends = await self._ends([run.access for run in runs])
        for run in runs:
            end = ends.get(_key(run.access))
            if isinstance(end, Revoked) or (end is not None and run.policy.on_leave is OnLeave.CANCEL):
                run.stop(end)
        if any(ends.values()):
            await asyncio.sleep(LAST_EVENT_SECONDS)
        for stream, access in list(self._streams.items()):
            if (end := ends.get(_key(access))) is not None:
                stream.end(end)

    async def _ends(self, accesses: list[Access]) -> dict[_Key, McpAppError | None]:
        """What each access has ended with, None for one that holds, those of streams among them. Nobody is asked about
        an expiry; of what was revoked as well, that is said, as it ends more."""
        now = self._now()
        by_key = {_key(access): access for access in (*accesses, *self._streams.values())}
        ends: dict[_Key, McpAppError | None] = {key: self._over(each, now) for key, each in by_key.items()}
        self._unasked = {key: None for key in (*self._unasked, *by_key) if key in by_key and key[1]}

        async def ask() -> None:
            while self._unasked:
                key = next(iter(self._unasked))
                del self._unasked[key]
                if await self._is_revoked(by_key[key]):
                    ends[key] = Revoked("The credentials of this call were revoked.")

        try:
            async with asyncio.timeout(ASK_SECONDS), asyncio.TaskGroup() as asking:
                for _ in range(min(ASK_AT_ONCE, len(self._unasked))):
                    asking.create_task(ask(), name="ask for revocations")
        except TimeoutError:
            logger.warning("verifiers did not say within %g s whose credentials were revoked", ASK_SECONDS)
        return ends

    def _over(self, access: Access, now: float) -> CredentialsExpired | None:
        if access.expires is not None and access.expires <= now:
            return CredentialsExpired("The credentials of this call have expired.")
        return CredentialsExpired("The sign-in of this call was ended.") if self._signed_out(access) else None

    async def _is_revoked(self, access: Access) -> bool:
        try:
            return await self._revoked(access)
        except Exception:  # of an author's verifier: nobody is put out for its mistake
            logger.exception("a verifier failed to say whether credentials were revoked")
            return False

    # --- its timer ---------------------------------------------------------------------------------------------------

    def _forget(self, stream: Frames) -> None:
        self._streams.pop(stream, None)

    def _schedule(self) -> None:
        if self._timer is None and self._looking is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._looking = asyncio.create_task(self._look_again(), name="look at credentials")

    async def _look_again(self) -> None:
        try:
            await self.look()
        except Exception:
            logger.exception("looking at credentials failed")
        finally:
            self._looking = None
        if self._streams or any(run.access.ends for run in self._runs.at_work):
            self._schedule()


def _key(access: Access) -> _Key:
    return access.principal, access.credential, access.expires
