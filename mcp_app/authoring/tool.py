"""Tools: a typed function with a name, two JSON Schemas and validated arguments and results.

Nothing is run here (runs/execution.py does that), and there is no global registry: `@tool` returns a `Tool`, which a
server adds to its `Registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal

from pydantic import ValidationError
from typing_extensions import ParamSpec, TypeVar

from ..protocol.access import Access
from ..protocol.errors import UnknownTool
from ..protocol.http import query_text
from ..protocol.mcp.headers import Mirror
from ..protocol.mcp.revisions import Structure
from ..protocol.problems import failed_names
from ..protocol.repair import repair
from .at_once import AtOnce
from .callables import Decorated
from .catalogue import Catalogue
from .dependencies import Plan
from .kind import Encoded, Kind
from .metadata import Metadata
from .placement import Origin, schema_digest, sent
from .refusal import invalid_params
from .result import Result
from .signature import Signature, Validated
from .source import where
from .tool_options import TaskUse
from .tool_results import encode_beside, encode_value

# With defaults (PEP 696), so that a `Tool` of any function is written without them.
P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)

_QUOTED_CHARS = 128  # characters of an unknown name that are repeated in a message


@dataclass(frozen=True, slots=True, eq=False)
class Tool(Decorated, Generic[P, R]):
    """A function that clients can call. Calling the tool in Python calls the function itself, with its types."""

    name: str
    title: str
    description: str
    function: Callable[P, R]
    kind: Kind
    signature: Signature = field(repr=False)
    input_schema: Mapping[str, Any] = field(repr=False)
    output_schema: Mapping[str, Any] | None = field(repr=False)
    structure: Structure = field(repr=False)
    """How MCP up to 2025-11-25, which requires objects, gets the schema and the result. Decided by the schema: a single
    value may be an object by chance."""
    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool
    metadata: Metadata = field(repr=False)
    time_limit: float | None
    at_once: AtOnce | None
    once: bool
    strict: bool
    task: TaskUse | None
    restarts: bool
    """Whether a call of it begins again in another process when its own is gone."""
    scopes: frozenset[str]
    """All of them are needed to call it; empty where everybody may."""
    hidden: bool
    """Whether it is in no list: it is called by who knows its name."""
    mirrors: tuple[Mirror, ...] = field(repr=False)
    """The parameters that MCP clients repeat in header fields: `x-mcp-header` in the input schema."""
    context: str | None = field(repr=False)
    plan: Plan | None = field(repr=False)
    origin: Origin | None = field(default=None, repr=False)
    """Where a process that works for it finds it; None where it works in the server's own."""
    linkable: ClassVar[bool] = True
    noun: ClassVar[Literal["tool"]] = "tool"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    @property
    def key(self) -> str:
        return self.name

    @property
    def where(self) -> str:
        return where(self.function, self.name)

    @property
    def digest(self) -> str:
        """By which another process knows that its tool takes and returns the same."""
        return schema_digest(self.name, self.input_schema, self.output_schema)

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The function's keyword arguments from JSON values. Raises InvalidParams."""
        return self.validated(params).arguments

    def validated(self, params: Mapping[str, Any], called: str = "params") -> Validated:
        """The keyword arguments from JSON values, which the dialect calls `called`. What a model wrote in the wrong
        type is repaired where only one thing can be meant, unless the tool is strict.

        Raises InvalidParams, whose details name each invalid field, its problem and what would be right.
        """
        try:
            validated = self.signature.from_json(params, strict=self.strict)
        except ValidationError as error:
            raise invalid_params(error, self.input_schema, params, called) from None
        return validated if self.origin is None else sent(validated, params)

    def from_query(self, params: Mapping[str, Any], texts: Mapping[str, list[str]]) -> Validated:
        """The same from a query: `texts` are converted to the types of the schema, a repeated name to a list. What is
        JSON and does not fit as text is taken as if it stood in `params`.

        Raises InvalidParams.
        """
        try:
            validated = self.signature.from_query(params, texts, strict=self.strict)
        except ValidationError as error:
            failed = {name: texts[name] for name in failed_names(error) & texts.keys()}
            if found := query_text.in_json(failed, self.signature.lists):
                rest = {name: items for name, items in texts.items() if name not in found}
                return self.from_query({**params, **found}, rest)
            raise invalid_params(error, self.input_schema, {**params, **texts}, "params") from None
        return validated if self.origin is None else sent(validated, params, texts)

    def query_values(self, texts: Mapping[str, list[str]]) -> dict[str, Any]:
        """The texts of a query as the JSON values that they would be repaired to in a body, to compare calls by."""
        values = {name: self.signature.decoded(name, items) for name, items in texts.items()}
        return dict(repair(self.input_schema, values).value)

    @property
    def encode_item(self) -> Callable[[Any], Encoded] | None:
        """Validates a yielded value against its declared type and encodes it; raises ToolFailed.

        None for a function that declares a result and no items: what it returns is that, even if it is a generator.
        """
        return self._encode_item if self.signature.streams or self.signature.result is None else None

    def _encode_item(self, value: Any) -> Encoded:
        signature = self.signature
        return encode_value(self.name, "yielded", signature.item, value, content=signature.item_content)

    def encode_result(self, value: Any) -> Encoded:
        """Validate the result, or the data of a `Result`, against its declared type and encode it. Raises
        ToolFailed."""
        if isinstance(value, Result):
            return self.encode_result(value.data)._replace(beside=encode_beside(self.name, value))
        signature = self.signature
        return encode_value(self.name, "returned", signature.result, value, content=signature.content)


class Registry(Catalogue[Tool]):
    """The tools of one server, by name, in the order of their addition."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        super().__init__(Tool, tools, noun="tool", decorator="@tool", key="name", remedy="@tool(name=…)")

    def get(self, name: str, access: Access) -> Tool:
        """The tool with that name, for this caller. Raises UnknownTool, with similar names in its hint, and
        InsufficientScope for a tool that the caller is shown and needs more scopes for."""
        found = self.usable(name, access)
        if found is None:
            similar = self.suggestion(name, access)
            raise UnknownTool(f"There is no tool named {name[:_QUOTED_CHARS]!r}.", suggestion=similar)
        return found
