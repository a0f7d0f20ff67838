"""Tools of every kind of parameter, whose calls are drawn from /openapi.json. Strict: what does not fit is refused, and
not repaired. Not a test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from mcp_app import tool


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    name: Annotated[str, Field(max_length=20)]
    children: list[Node] = []


@tool(read_only=True, strict=True)
async def echo(text: str = "hello") -> str:
    """Say it back."""
    return text


@tool(strict=True)
async def grow(tree: Node, depth: Annotated[int, Field(ge=0, le=5)] | None = None) -> Node:
    """Let it grow."""
    return tree


@tool(strict=True)
def each(
    number: Annotated[int, Field(ge=0, le=100)],
    ratio: float = 0.5,
    flag: bool = False,
    names: list[str] | None = None,
    colour: Colour = Colour.RED,
    table: dict[str, int] | None = None,
) -> dict[str, Any]:
    """One parameter of each kind."""
    return {"number": number, "ratio": ratio, "flag": flag, "names": names, "colour": colour.value, "table": table}


@tool(name="count.up", strict=True)
async def count_up(upto: Annotated[int, Field(ge=0, le=20)]) -> AsyncIterator[int]:
    """Yield numbers."""
    for number in range(upto):
        yield number


@tool(strict=True)
def letters(text: Annotated[str, Field(max_length=10, pattern="^[a-z]*$")]) -> Iterator[str]:
    """Yield letters, from a thread."""
    yield from text


@tool(strict=True)
async def nothing() -> None:
    """Take nothing, and give nothing."""


@tool(strict=True)
async def either(value: int | str | list[bool]) -> Any:
    """Give back one of several types."""
    return value
