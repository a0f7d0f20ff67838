"""The body of an answer, read up to a bound: also what it inflates to. No connection is made here."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator


async def read_at_most(chunks: AsyncIterator[bytes], coding: str, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of a body, and whether there are more. `coding` is its Content-Encoding.

    gzip and deflate are inflated, of which `limit` bounds both sides: a kilobyte of zeros inflates to a megabyte. Other
    codings are left as they are; ask for `Accept-Encoding: identity`. Raises zlib.error for what cannot be inflated.
    """
    # 32: zlib detects gzip or deflate by itself.
    inflate = zlib.decompressobj(32 + zlib.MAX_WBITS) if coding.strip().lower() in ("gzip", "deflate") else None
    kept = bytearray()
    read = 0
    async for chunk in chunks:
        read += len(chunk)
        # One byte more than the limit distinguishes a body of exactly that length from a longer one.
        kept += inflate.decompress(chunk, limit + 1 - len(kept)) if inflate else chunk[: limit + 1 - len(kept)]
        if len(kept) > limit or read > limit:
            return bytes(kept[:limit]), True
    return bytes(kept), False
