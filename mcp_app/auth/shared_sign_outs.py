"""Sign-outs of all processes that share a log: who signs out of the page at one of them is signed out at all.

They are in one document, which each process reads when it joins the others; those that are there are told. The cookie,
and what a sign-out ends, is known in page_sign_in.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ..eventlog.shared import RETRY_SECONDS
from ..nodes import Node
from ..protocol.errors import LogUnavailable
from ..protocol.event import decode, encode
from .page_sign_in import MAX_SIGNED_OUT, PageSignIns

NAME = "signed-out/page"


class SharedSignOuts:
    """Keeps the sign-outs that `sign_ins` knows the same as those of the other nodes."""

    def __init__(self, node: Node, sign_ins: PageSignIns) -> None:
        self._node = node
        self._sign_ins = sign_ins
        sign_ins.share = self.share
        node.post.on("signed_out", lambda letter: sign_ins.remember(letter["ended"]))
        node.on_joined(self._read)

    async def share(self, ended: Mapping[str, float]) -> None:
        """These sign-ins, by their credentials, were ended before they expire. Raises LogUnavailable; repeated it does
        the same again."""
        log, stood = self._node.log, await self._node.log.get(NAME)
        while True:
            now = self._node.now()
            before = {} if stood is None or not stood.version else decode(stood.value)
            known = {each: expires for each, expires in before.items() if expires > now}
            newest = dict([*known.items(), *ended.items()][-MAX_SIGNED_OUT:])
            version = 0 if stood is None else stood.version
            stood = await log.put(NAME, encode(newest), max(newest.values()), version)
            if stood is None:
                break
        await self._node.post.tell_all({"do": "signed_out", "ended": dict(ended)})

    async def _read(self) -> None:
        while True:
            try:
                document = await self._node.log.get(NAME)
            except LogUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if document is not None:
                self._sign_ins.remember(decode(document.value))
            return
