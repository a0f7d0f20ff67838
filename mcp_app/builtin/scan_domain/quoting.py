"""Sanitises text from a scanned server for display: short, on one line, without control characters.

The text stays data: it is never interpreted here, and findings never contain it unquoted.
"""

MAX_QUOTED = 400
"""Enough for a header or a TXT record to be recognised; without it one record of 64 KiB would be an event of 64 KiB."""


def quoted(text: str, limit: int = MAX_QUOTED) -> str:
    """`text` with everything unprintable replaced by U+FFFD, cut after `limit` characters (marked with …)."""
    kept = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in kept)
