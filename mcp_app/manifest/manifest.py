"""The validated manifest: the card, our part of `_meta`, and the paths derived from them.

Bytes in, a value out; no file is opened here and no URL is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.http.strict_json import loads
from mcp_app.protocol.mcp.meta_key import key_problem

from .card import Card, Streaming
from .explain import ManifestError, explained, json_path
from .metakey import STREAMING, streaming_key
from .paths import MCP_PATH, SSE_PATH, sibling

MAX_BYTES = 256 * 1024
"""Maximum file size. A card has some hundred bytes, an icon inlined as data: some ten thousand. A larger file is not a
manifest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid mcp.json, created by `parse_manifest`."""

    card: Card
    streaming: Streaming
    meta_key: str
    """Our key in `_meta`: `com.example.streaming-tools/streaming`."""

    @property
    def namespace(self) -> str:
        """The prefix of our own keys in `_meta`, with its slash."""
        return self.meta_key.rpartition("/")[0] + "/"

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
    def tickets_path(self) -> str:
        """Tickets for an EventSource, beside the SSE route."""
        return sibling(self.streaming.events, "tickets")

    @property
    def mcp_path(self) -> str:
        """The MCP endpoint at its conventional path."""
        return MCP_PATH

    @property
    def endpoint_paths(self) -> tuple[str, ...]:
        """Where MCP is spoken: each is a resource of its own to those who give out tokens."""
        return tuple(dict.fromkeys((self.events_path, MCP_PATH, SSE_PATH)))


def parse_manifest(text: bytes, *, file: str) -> Manifest:
    """Parse the manifest in `text`. `file` is its name in messages.

    Raises ManifestError, in one line: file, location, what is expected.
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
        value = loads(text.removeprefix(b"\xef\xbb\xbf"))  # some Windows editors write a byte order mark
    except InvalidRequest as error:
        # The messages of the JSON parser are about request bodies.
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
        # If a server was renamed but not its key, it would silently use the default path.
        if key != own and key.rpartition("/")[2] == STREAMING:
            raise ManifestError(file, place, f'expected the key that belongs to this name: "{own}"')
