"""The fields of mcp.json: MCP server card v1, and our own under `_meta`.

Each field's description follows the word "expected" in the error message for an invalid field. Nothing here knows the
live server: `remotes` and everything else that the server knows itself is not written by hand.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from ..protocol.http.web_url import excerpt, is_web_url
from ..protocol.mcp.icons import SIZE, checked_src, checked_type
from .paths import DEFAULT_EVENTS_PATH, check_events_path

SCHEMA_URL: Final = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"

_RANGE = re.compile(r"[\^~<>=*|\s]|(?:^|\.)[xX](?:\.|$)")
"""Matches in a version range: ^1.2.3, ~1.2.3, >=1.2.3, 1.x, 1.*, "1 - 2", "1 || 2"."""


def _one_version(value: str) -> str:
    if _RANGE.search(value):
        raise ValueError(f"expected one version such as 1.4.0, not a range, got {value!r}")
    return value


def _web_url(value: str) -> str:
    if not is_web_url(value):
        raise ValueError(f"expected an absolute http(s) URL without user and password, got {excerpt(value)}")
    return value


class _Part(BaseModel):
    """Strict: no type coercion, no unknown names, immutable."""

    # defer_build: Icon's validator is built as a part of Card's, and not a second time on its own.
    # python-re: Rust's regex engine takes a third of a MiB for its first pattern. `$` would accept a line break: hence
    # \Z.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        defer_build=True,
        regex_engine="python-re",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_null(cls, value: object) -> object:
        """None stands for a missing field; the schema has no null."""
        if value is None:
            raise ValueError("expected a value, got null: leave the name out instead")
        return value


class CardIcon(_Part):
    """An icon that a client may show (server card v1, `Icon`)."""

    src: Annotated[str, AfterValidator(checked_src)] = Field(description="an absolute http(s) URL or a data:image/ URI")
    mime_type: Annotated[str, AfterValidator(checked_type)] | None = Field(
        default=None, description="a MIME type such as image/png"
    )
    # strict=False converts the JSON array to a tuple; its items stay strict.
    sizes: tuple[Annotated[str, Field(pattern=SIZE)], ...] | None = Field(
        default=None, strict=False, description='sizes such as "96x96", or "any"'
    )
    theme: Literal["light", "dark"] | None = Field(default=None, description='"light" or "dark"')


class Repository(_Part):
    """Where the server's source is (server card v1, `Repository`)."""

    url: Annotated[str, AfterValidator(_web_url)] = Field(description="an absolute http(s) URL")
    source: str = Field(min_length=1, description="the name of the hosting service, such as github")
    subfolder: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\Z",
        description="a relative path inside of the repository",
    )
    id: str | None = Field(default=None, min_length=1, description="the repository's id at the hosting service")


class Streaming(_Part):
    """Our own part: `_meta["<name>/streaming"]`."""

    events: Annotated[str, AfterValidator(check_events_path)] = Field(
        default=DEFAULT_EVENTS_PATH, description=f"the path of the event stream, such as {DEFAULT_EVENTS_PATH}"
    )
    """Path of the SSE route; `tools`, `runs` and `tickets` are siblings of it."""


class Card(_Part):
    """The top level of mcp.json: a server card v1 without the fields that the live server adds."""

    card_schema: Literal["https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"] = Field(
        default=SCHEMA_URL, alias="$schema", description=f'"{SCHEMA_URL}"'
    )
    name: str = Field(
        min_length=3,
        max_length=200,
        pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+\Z",
        description="a reverse-DNS name of 3 to 200 characters with one slash, such as com.example/streaming-tools",
    )
    version: Annotated[str, AfterValidator(_one_version)] = Field(
        min_length=1, max_length=255, description="one version of 1 to 255 characters, such as 1.4.0"
    )
    description: str = Field(min_length=1, max_length=100, description="a text of 1 to 100 characters")
    title: str | None = Field(default=None, min_length=1, max_length=100, description="a text of 1 to 100 characters")
    website_url: Annotated[str, AfterValidator(_web_url)] | None = Field(
        default=None, description="an absolute http(s) URL"
    )
    instructions: str | None = Field(
        default=None, min_length=1, description="a text of at least one character, for the models that use the server"
    )
    repository: Repository | None = Field(default=None, description="an object with url and source")
    icons: tuple[CardIcon, ...] | None = Field(default=None, strict=False, description="an array of objects with src")
    meta: dict[str, Any] = Field(
        default_factory=dict, alias="_meta", description="an object whose names have the form com.example/name"
    )

    def as_json(self) -> dict[str, Any]:
        """The fields that have a value, by their server card names, `$schema` first: without `instructions`, which the
        standard's card does not have."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"instructions"})
