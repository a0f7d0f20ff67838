"""How long a text for models may be before a client cuts it. Nothing is cut here."""

from __future__ import annotations

from collections.abc import Mapping

READ_CHARS = 2048
"""Claude Code cuts instructions and descriptions here, silently; other clients have bounds of their own."""

_NAMED = 5
"""Texts that are named in the line; a file that is generated may have hundreds that are too long."""


def cut_short(texts: Mapping[str, str]) -> list[str]:
    """One line that names the texts that are longer than that, each by its key; none if all are shorter."""
    long = [f"{name} ({len(text):,} characters)" for name, text in texts.items() if len(text) > READ_CHARS]
    if not long:
        return []
    more = f" and {len(long) - _NAMED} more" if len(long) > _NAMED else ""
    which = ", ".join(long[:_NAMED])
    return [f"longer than the {READ_CHARS:,} characters that Claude Code and others pass on to a model: {which}{more}"]
