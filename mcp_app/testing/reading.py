"""What came of reading a resource, and of getting a prompt. Plain values: nothing is asked here."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResourceRead:
    """The contents of a resource, as MCP has them."""

    contents: Sequence[Mapping[str, Any]]

    @property
    def text(self) -> str:
        """The text. Raises ValueError if there is not one content that is text."""
        return str(self._one("text"))

    @property
    def data(self) -> bytes:
        """The bytes of a blob. Raises ValueError if there is not one content that is one."""
        return base64.b64decode(self._one("blob"))

    @property
    def mime_type(self) -> str | None:
        """The media type of the only content."""
        return self.contents[0].get("mimeType") if len(self.contents) == 1 else None

    def _one(self, kind: str) -> str:
        found = [each[kind] for each in self.contents if kind in each]
        if len(found) != 1:
            kinds = ", ".join("text" if "text" in each else "blob" for each in self.contents) or "nothing"
            raise ValueError(f"there is not one {kind} in it, but {kinds}")
        return str(found[0])


@dataclass(frozen=True, slots=True)
class PromptMessages:
    """The messages of a prompt, as MCP has them."""

    messages: Sequence[Mapping[str, Any]]
    description: str | None = None

    @property
    def text(self) -> str:
        """The texts of all messages, one below the other."""
        contents = (each.get("content", {}) for each in self.messages)
        return "\n".join(str(each["text"]) for each in contents if each.get("type") == "text")
