"""Documents: a hash each, with its version, which Redis lets expire."""

from __future__ import annotations

import math

from ..records import StoredDocument
from . import scripts
from .store import Store


class DocumentStore(Store):
    """Small values that outlive a process."""

    async def get(self, name: str) -> StoredDocument | None:
        key = self._document_key(name)
        version, value = await self._client.read(key, "HMGET", key, "v", "d")
        return None if version is None else self._document(name, int(version), value)

    async def put(self, name: str, value: bytes, until: float, version: int | None = None) -> StoredDocument | None:
        there = await self._client.run(
            scripts.PUT,
            (self._document_key(name),),
            self._cipher.seal(f"document/{name}", value),
            math.ceil(until * 1000),
            "" if version is None else version,
        )
        return self._document(name, *there) if there else None

    async def delete(self, name: str) -> None:
        key = self._document_key(name)
        await self._client.write(key, "DEL", key)

    def _document(self, name: str, version: int, value: bytes) -> StoredDocument:
        return StoredDocument(self._opened(f"document/{name}", value) if version else b"", version)
