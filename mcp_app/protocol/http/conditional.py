"""Entity tags and If-None-Match (RFC 9110, 8.8.3 and 13.1.2). Nothing here knows the documents that are tagged."""

from __future__ import annotations

import hashlib
import re

_DIGITS = 32
"""Hex digits of SHA-256 in a tag: 128 bits make a collision of two documents impossible in practice."""

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
"""RFC 9110, 8.8.3: entity-tag. The quoted part may contain commas, so the field cannot be split at commas."""

_GAP = re.compile(r"[ \t]*(?:,[ \t]*|$)")


def entity_tag(body: bytes) -> str:
    """A strong tag of `body`: the same bytes have the same tag in every process."""
    return f'"{hashlib.sha256(body).hexdigest()[:_DIGITS]}"'


def matches(etag: str, if_none_match: str | None) -> bool:
    """Whether the caller has the version that `etag` identifies, so that GET and HEAD are answered with 304.

    `if_none_match` is the field's value (several lines joined by ", "), None when it was not sent. Tags compare weakly,
    `*` matches any document that exists, empty list elements are skipped (5.6.1.2), and an invalid field is ignored:
    the caller gets the complete document, which is never wrong.
    """
    if if_none_match is None:
        return False
    field = if_none_match.strip(" \t")
    if field == "*":
        return True
    own = etag.removeprefix("W/")
    tags = _tags(field)
    return tags is not None and own in tags


def _tags(field: str) -> list[str] | None:
    """The opaque tags of the list, without their W/; None when `field` is not a list of tags."""
    tags: list[str] = []
    at = 0
    while at < len(field):
        if field[at] in ", \t":
            at += 1
            continue
        tag = _TAG.match(field, at)
        if tag is None:
            return None
        tags.append(tag[1])
        gap = _GAP.match(field, tag.end())
        if gap is None:
            return None
        at = gap.end()
    return tags
