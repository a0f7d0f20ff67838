"""`KeyVerifier`: knows callers by their API keys, which it reads again when their file changes.

What a key looks like is in keys.py, and how the file is kept in key_file.py.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ..aio.in_thread import in_thread
from ..protocol.access import UNKNOWN, Access
from ..protocol.errors import Unauthorized
from ..protocol.scopes import Hierarchy
from ..web.messages import Request
from .credentials import bearer_token
from .key_file import FileState, KeyFile, KeyFileError, Records
from .key_records import KeyRecord
from .keys import PREFIX, digest, id_of, parse
from .verifier import KEY, Verifier, VerifierError

logger = logging.getLogger("mcp_app.auth")

LOOK_SECONDS = 2.0
"""How often the file is looked at: a key that was revoked opens nothing after twice that, and a stat costs 2 µs."""

USED_SECONDS = 60.0
"""How often the last uses are written, at most: each time the whole file is."""

CLOSE_SECONDS = 2.0
"""How long a stop waits for the last uses to be written: less than a stop may take in all."""

_REFUSED = "The key is not valid: it is not known here, has expired, or was revoked."
"""One sentence for all three: who has no valid key is not told whether it was one. The log says which."""


class _Known(NamedTuple):
    """A key that may open something, and what it opens."""

    digest: bytes
    expires: float
    access: Access
    name: str


_NONE = _Known(b"\0" * 32, 0.0, UNKNOWN, "")
"""In the place of a key that is not known: it is compared with all the same, and has expired."""


class KeyVerifier(Verifier):
    """Verifies the keys of one file."""

    def __init__(self, file: KeyFile, hierarchy: Hierarchy, now: Callable[[], float] = time.time) -> None:
        """`now` is the clock, in Unix seconds."""
        self._file = file
        self._hierarchy = hierarchy
        self._now = now
        self._known: dict[str, _Known] = {}
        self._signature: FileState | None = None
        self._complaint: str | None = None
        self._used: dict[str, float] = {}
        self._written = 0.0
        self._looking: asyncio.Task[None] | None = None

    def verify(self, request: Request) -> Access | None:
        """The access of the key that the request carries as a Bearer token (RFC 6750, 2.1)."""
        token = bearer_token(request.headers.get("authorization"))
        if token is None or not token.startswith(PREFIX):
            return None
        known = self._known.get(id_of(token), _NONE)
        if not hmac.compare_digest(digest(token), known.digest) or known.expires <= (now := self._now()):
            if parse(token) is None:
                raise Unauthorized("This is no key: a part of it is missing, or was mistyped.")
            raise Unauthorized(_REFUSED)
        self._used[known.access.credential] = now
        return known.access

    def access_of(self, key_id: str) -> Access | None:
        """What the key of this id opens now, for a browser that has shown it before; None for one that is not valid."""
        known = self._known.get(key_id)
        if known is None or known.expires <= (now := self._now()):
            return None
        self._used[key_id] = now
        return known.access

    def name_of(self, access: Access) -> str:
        """What the key of this access is called by whoever made it; empty for one that is not known."""
        known = self._known.get(access.principal.removeprefix(KEY))
        return "" if known is None else known.name

    def revoked(self, access: Access) -> bool:
        """Whether the key of this access, perhaps of a sign-in with it, is no more: one that has expired is known by
        `access.expires`."""
        return access.principal.startswith(KEY) and access.principal.removeprefix(KEY) not in self._known

    async def start(self) -> None:
        try:
            self._take(self._file.signature(), await in_thread(self._file.read))
        except KeyFileError as error:
            raise VerifierError(str(error)) from None
        self._written = self._now()
        self._looking = asyncio.create_task(self._look_on(), name="keys")

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._write_used()
            except TimeoutError:
                logger.warning("%s: when keys were last used was not written in time", self._file.path)

    async def look(self) -> None:
        """Read the file again if it has changed. What cannot be used leaves the keys as they were; the log says so
        once."""
        signature = self._file.signature()
        if signature == self._signature and signature is not None:
            return
        try:
            records = await in_thread(self._file.read)
        except KeyFileError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                logger.error(  # noqa: TRY400 - the message says all
                    "%s; the keys that were read before go on being valid", error
                )
            return
        if self._complaint is not None:
            logger.warning("%s: the keys can be read again", self._file.path)
        self._take(signature, records)

    def _take(self, signature: FileState | None, records: Records) -> None:
        self._signature, self._complaint = signature, None
        self._known = {each.id: self._knows(each) for each in records.values() if each.revoked is None}

    def _knows(self, record: KeyRecord) -> _Known:
        scopes = self._hierarchy.implied(record.scopes)
        access = Access(KEY + record.id, scopes, expires=record.expires, credential=record.id)
        before = self._known.get(record.id)
        if before is not None and before.access == access:
            access = before.access
        return _Known(record.digest, float("inf") if record.expires is None else record.expires, access, record.name)

    async def tick(self) -> None:
        """Look at the file, and write the last uses if it is time. What fails is logged."""
        try:
            await self.look()
            if self._used and self._now() - self._written >= USED_SECONDS:
                await self._write_used()
        except Exception:
            logger.exception("%s could not be looked at", self._file.path)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.tick()

    async def _write_used(self) -> None:
        """Write when keys were last used. A file that cannot be written costs nothing but that."""
        used, self._used = self._used, {}
        self._written = self._now()
        if not used:
            return

        def change(records: dict[str, KeyRecord]) -> None:
            for id_, at in used.items():
                record = records.get(id_)
                if record is not None and (record.used is None or record.used < int(at)):
                    records[id_] = replace(record, used=int(at))

        try:
            await in_thread(lambda: self._file.change(change))
        except KeyFileError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                logger.warning("%s; when keys were last used is not kept", error)
