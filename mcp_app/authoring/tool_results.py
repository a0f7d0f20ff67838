"""What a tool yields and returns, validated against what it declares, as JSON: a value, content, what is beside both.

Which functions run, and when, is not known here, nor what the dialects make of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol.beside import Beside
from ..protocol.errors import ToolFailed
from ..protocol.event import encode, sendable_text
from ..protocol.mcp.meta_key import key_problem
from .content_blocks import content_blocks
from .content_data import ContentError
from .declared_type import DeclaredType, NotDeclared
from .kind import Encoded
from .result import Result


def encode_value(name: str, did: str, declared: DeclaredType | None, value: Any, *, content: bool) -> Encoded:
    """What the tool `name` yielded or returned, of the `declared` type. Raises ToolFailed.

    `content`: the declared type names content. A value may be content then, and where any value is declared.
    """
    try:
        blocks = content_blocks(value, declared=content)
        validated = value if declared is None else declared.validated(value)
        if blocks is None and content:  # an iterator is a list only now
            blocks = content_blocks(validated, declared=True)
        if blocks is not None:
            return Encoded(encode(blocks), content=True)
        return Encoded(encode(value) if declared is None else declared.encode_validated(validated))
    except NotDeclared as error:
        raise ToolFailed(f"The tool {name} {did} what it does not declare: {error}.") from error
    except ContentError as error:
        raise ToolFailed(f"The tool {name} {did} what is no content: {error}.") from error
    except ValueError as error:
        raise ToolFailed(f"The tool {name} {did} what cannot be sent as JSON: {error}.") from error


def declared_value(name: str, did: str, declared: DeclaredType | None, value: Any) -> Any:
    """The same as Python's value, for code that called the tool. Raises ToolFailed for what is of another type."""
    try:
        return value if declared is None else declared.validated(value)
    except NotDeclared as error:
        raise ToolFailed(f"The tool {name} {did} what it does not declare: {error}.") from error


def encode_beside(name: str, result: Result[Any]) -> bytes:
    """What the result of the tool `name` has beside its data; empty if there is nothing. Raises ToolFailed."""
    if isinstance(result.data, Result):
        raise ToolFailed(f"The tool {name} gave a Result of a Result: return the inner one.")
    found = Beside(_text(name, result.text), _content(name, result.content), _meta(name, result.meta))
    try:
        return found.encoded()
    except ValueError as error:
        raise ToolFailed(f"The tool {name} gave a Result that cannot be sent as JSON: {error}.") from error


def _text(name: str, text: Any) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ToolFailed(f"The tool {name} gave a Result with a text of type {type(text).__name__}, not str.")
    return sendable_text(text)


def _content(name: str, content: Any) -> list[dict[str, Any]]:
    try:
        blocks = content_blocks(content, declared=True)
    except ContentError as error:
        raise ToolFailed(f"The tool {name} gave a Result with what is no content: {error}.") from error
    if blocks is None:
        raise ToolFailed(
            f"The tool {name} gave a Result with content of type {type(content).__name__}: "
            "give a list of Image, ResourceLink and the like, and of str."
        )
    return blocks


def _meta(name: str, meta: Any) -> Mapping[str, Any]:
    """Only the keys are looked at."""
    if meta is None:
        return {}
    if not isinstance(meta, Mapping) or not all(isinstance(key, str) for key in meta):
        raise ToolFailed(
            f'The tool {name} gave a Result with a meta that is no dict with str as keys: {{"com.example/unit": "°C"}}.'
        )
    for key in meta:
        if (problem := key_problem(key)) is not None:
            raise ToolFailed(
                f"The tool {name} gave a Result with the key {key!r} in meta, which is none of _meta: "
                f"expected {problem}."
            )
    return dict(meta)
