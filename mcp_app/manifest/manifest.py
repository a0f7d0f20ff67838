"""The checked manifest: the card, our part of `_meta`, and the paths that follow from them.

From bytes to a value; no file is opened here and no URL is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.http.strict_json import loads

from .card import Card, Streaming
from .explain import ManifestError, explained, json_path
from .metakey import STREAMING, key_problem, streaming_key
from .paths import MCP_PATH, sibling

MAX_BYTES = 256 * 1024
"""Of the file. A card is some hundred bytes; an icon inlined as data: is some ten thousand. More is another file."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What mcp.json says. Made by `parse_manifest`; every part of it is valid."""

    card: Card
    streaming: Streaming
    meta_key: str
    """The name in `_meta` that is ours: `com.example.streaming-tools/streaming`."""

    @property
    def events_path(self) -> str:
        """The SSE route."""
        return self.streaming.events

    @property
    def tools_path(self) -> str:
        """The list of tools, beside the SSE route."""
        return sibling(self.streaming.events, "tools")

    @property
    def runs_path(self) -> str:
        """Detached runs, beside the SSE route."""
        return sibling(self.streaming.events, "runs")

    @property
    def mcp_path(self) -> str:
        """The MCP endpoint at its conventional path."""
        return MCP_PATH


def parse_manifest(text: bytes, *, file: str) -> Manifest:
    """The manifest in `text`; `file` is how its operator calls it.

    Raises ManifestError, one line: file, place, what is expected.
    """
    card = _card(_object(text, file), file)
    key = _own_key(card, file)
    _check_keys(card, key, file)
    below = ("_meta", key)
    try:
        streaming = Streaming.model_validate(card.meta.get(key, {}))
    except ValidationError as error:
        raise explained(file, error, Streaming, below) from None
    return Manifest(card=card, streaming=streaming, meta_key=key)


def _object(text: bytes, file: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise ManifestError(file, "", f"expected at most {MAX_BYTES} bytes, got {len(text)}")
    try:
        value = loads(text.removeprefix(b"\xef\xbb\xbf"))  # editors of Windows put a byte order mark there
    except InvalidRequest as error:
        # The reader of JSON speaks of the bodies that it mostly reads.
        raise ManifestError(file, "", error.message.replace("The body", "the file")) from None
    if not isinstance(value, dict):
        raise ManifestError(file, "", "expected a JSON object")
    return value


def _card(value: dict[str, Any], file: str) -> Card:
    try:
        return Card.model_validate(value)
    except ValidationError as error:
        raise explained(file, error, Card) from None


def _own_key(card: Card, file: str) -> str:
    try:
        return streaming_key(card.name)
    except ValueError as error:
        raise ManifestError(file, "name", str(error)) from None


def _check_keys(card: Card, own: str, file: str) -> None:
    for key in card.meta:
        place = json_path(("_meta", key))
        problem = key_problem(key)
        if problem is not None:
            raise ManifestError(file, place, f"expected {problem}")
        # A renamed server whose key was left behind would run at the default path and nobody would know why.
        if key != own and key.rpartition("/")[2] == STREAMING:
            raise ManifestError(file, place, f'expected the key that belongs to this name: "{own}"')
