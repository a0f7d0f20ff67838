"""The documents that say where callers of a protected resource get a token (RFC 9728). Anybody may read them.

What is in them is a verifier's to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..protocol.errors import UnknownRoute
from ..protocol.http.conditional import entity_tag, matches
from ..web.messages import JSON, Answer, Request

CACHING = ("Cache-Control", "public, max-age=300")
"""What an operator changes is seen within minutes."""


class ResourceMetadata:
    """Answers GET for each of them."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]], fields: Sequence[tuple[str, str]]) -> None:
        """`fields` let pages of any origin read them: some clients are pages."""
        self._bodies = {path: json.dumps(each, indent=2).encode() + b"\n" for path, each in documents.items()}
        self._fields = tuple(fields)

    async def document(self, request: Request) -> Answer:
        """The document at the request's path. Raises UnknownRoute where there is none: no token is asked for."""
        body = self._bodies.get(request.path)
        if body is None:
            raise UnknownRoute("There is nothing at this path: no authorization server gives out tokens for this one.")
        tag = entity_tag(body)
        caching = (("ETag", tag), CACHING)
        if matches(tag, request.headers.get("if-none-match")):
            return Answer(304, (*caching, *self._fields))
        content = (("Content-Type", JSON), ("X-Content-Type-Options", "nosniff"))
        return Answer(200, (*content, *caching, *self._fields), body)
