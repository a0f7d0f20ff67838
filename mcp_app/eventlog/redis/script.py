"""A Lua script that Redis runs as one step, named by its digest: sent whole only to a server that does not know it."""

from __future__ import annotations

import hashlib


class Script:
    """`#!lua` has it refused where memory is full, before its first write; with `no-writes` it runs all the same."""

    __slots__ = ("digest", "source")

    def __init__(self, body: str, flags: str = "") -> None:
        self.source = f"#!lua flags={flags}\n{body}".encode()
        self.digest = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()
