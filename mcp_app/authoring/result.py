"""`Result`: what a tool returns, or a generator yields last: its data, and what a client gets beside it.

Nothing is validated or encoded here: tool_results.py does that, where the tool's name and types are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from .content import Content

T_co = TypeVar("T_co", covariant=True)


class Result(Generic[T_co]):
    """The result of a run: `data` for programs, of the declared type; `text`, `content` and `meta` beside it.

    Yielded last by a generator, whose earlier values are progress; returned by any other function. A function that is
    annotated `-> Result[Rows]` has the output schema of Rows.

    text: for a model, in the place of the data's JSON. content: pictures, sound, files, links and further text, for
    people and models. meta: members of MCP's `_meta`, for the client's program; keys have a prefix of your own.
    """

    __slots__ = ("content", "data", "meta", "text")

    def __init__(
        self,
        data: T_co,
        *,
        text: str | None = None,
        content: Content | Sequence[Content | str] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.data = data
        self.text = text
        self.content = content
        self.meta = meta

    @property
    def parts(self) -> tuple[T_co, Any, Any]:
        """Data, content and meta: whatever may hold what works only when it is read."""
        return self.data, self.content, self.meta

    def __repr__(self) -> str:
        beside = {"text": self.text, "content": self.content, "meta": self.meta}
        given = (f", {name}={value!r}" for name, value in beside.items() if value)
        return f"Result({self.data!r}{''.join(given)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return (self.text, *self.parts) == (other.text, *other.parts)

    __hash__ = None  # type: ignore[assignment] # like a list: data may be changed

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> NoReturn:
        """Raises TypeError: as a parameter, or within another type, it stands for nothing that can be sent."""
        raise TypeError("Result is what a tool returns or yields last, never a part of another value: -> Result[Rows]")
