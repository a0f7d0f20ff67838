"""Resources: a typed function whose result is read at a URI, or with `{variables}` at all URIs of a template.

Nothing is run here: runs/execution.py runs a `Reading`. There is no global registry, and no wire format is known except
MCP's resource types (2026-07-28, Resources).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ..protocol.access import Access
from ..protocol.error_kind import ErrorKind
from ..protocol.errors import RequestError, ToolFailed
from ..protocol.event import encode
from ..protocol.http.uri_template import UriTemplate, normal
from .callables import Decorated
from .catalogue import Catalogue, Watchers
from .content import Annotations, present
from .dependencies import Plan
from .kind import Encoded, Kind
from .metadata import Metadata
from .permitted import permitted
from .resource_contents import contents
from .signature import Signature
from .typed_function import TypedFunction

_QUOTED_CHARS = 200  # characters of an unknown URI that are repeated in a message


class UnknownResource(RequestError):
    """There is no resource at the requested `uri` (MCP, Resources, Error Handling).

    The function of a template raises it, or returns None, if nothing exists for the values of its variables.
    """

    code = "unknown_resource"
    status = 404
    error_kind = ErrorKind.UNKNOWN_RESOURCE
    hint = "resources/list and resources/templates/list name what can be read; a URI is percent-encoded."

    def __init__(self, uri: str, *, suggestion: str = "") -> None:
        super().__init__(f"There is no resource at {uri[:_QUOTED_CHARS]!r}.", suggestion=suggestion)
        self.uri = uri

    def object(self) -> dict[str, Any]:
        """With the URI, which "data MUST contain" in 2026-07-28."""
        return {**super().object(), "uri": self.uri}


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Decorated):
    """A function whose result can be read at `uri`, a URI or a URI template. Calling the resource calls the function.

    `cache_seconds` and `cache_scope` are the cache hints for clients (MCP, Caching).
    """

    uri: str
    name: str
    title: str
    description: str
    mime_type: str | None
    size: int | None
    annotations: Annotations | None
    metadata: Metadata = field(repr=False)
    cache_seconds: float
    cache_scope: Literal["public", "private"]
    scopes: frozenset[str]
    hidden: bool
    template: UriTemplate = field(repr=False)
    typed: TypedFunction = field(repr=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.typed.function(*args, **kwargs)

    @property
    def is_template(self) -> bool:
        """Whether `uri` is a template."""
        return bool(self.template.variables)

    @property
    def key(self) -> str:
        """Unique among resources. Templates that differ only in the names of their variables have the same key."""
        return self.template.shape

    @property
    def where(self) -> str:
        return self.typed.where

    @property
    def signature(self) -> Signature:
        """The function's signature: its parameters are the template's variables."""
        return self.typed.signature

    def wire(self) -> dict[str, Any]:
        """The entry in `resources/list`, or for a template in `resources/templates/list`."""
        return present(
            **{"uriTemplate" if self.is_template else "uri": self.uri},
            name=self.name,
            title=self.title,
            description=self.description or None,
            mimeType=self.mime_type,
            size=self.size,
            annotations=self.annotations,
        )

    def cache_hints(self) -> dict[str, Any]:
        """The cache hints in a 2026-07-28 response to `resources/read`: `ttlMs` in milliseconds, and `cacheScope`."""
        return {"ttlMs": round(self.cache_seconds * 1000), "cacheScope": self.cache_scope}

    def reading(self, uri: str, values: Mapping[str, str]) -> tuple[Reading, dict[str, Any]]:
        """(the `Reading` at `uri`, the function's arguments). Raises InvalidParams for values of another type."""
        arguments = self.typed.arguments(values, hint=f"The URI is {self.uri} with the values of its variables.")
        return Reading(self, uri), arguments


@dataclass(frozen=True, slots=True)
class Reading:
    """One resource at one URI: runs/execution.py runs it like a tool."""

    resource: Resource
    uri: str
    time_limit: ClassVar[float | None] = None
    linkable: ClassVar[bool] = False
    at_once: ClassVar[None] = None
    noun: ClassVar[Literal["resource"]] = "resource"
    encode_item: ClassVar[None] = None  # it returns, it does not yield

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def kind(self) -> Kind:
        return self.resource.typed.kind

    @property
    def function(self) -> Callable[..., Any]:
        return self.resource.typed.function

    @property
    def context(self) -> str | None:
        return self.resource.signature.context

    @property
    def plan(self) -> Plan | None:
        return self.resource.signature.plan

    def encode_result(self, value: Any) -> Encoded:
        """The return value as `{"contents": […]}`.

        Raises UnknownResource if it is None, and ToolFailed if it cannot be converted to contents. An empty list is
        sent as JSON, because MCP forbids empty `contents`.
        """
        if value is None:
            raise UnknownResource(self.uri)
        try:
            return Encoded(encode({"contents": contents(value, self.uri, self.resource.mime_type)}))
        except ValueError as error:
            raise ToolFailed(f"The resource {self.name} returned what cannot be read: {error}.") from error


class Resources(Catalogue[Resource]):
    """The resources and templates of one server, in the order of their addition."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        super().__init__(
            Resource, resources, noun="resource", decorator="@resource(uri)", key="URI", remedy="@resource(uri)"
        )
        self._updates: Watchers[[str]] = Watchers()

    def listed(self, access: Access) -> list[Resource]:
        """The resources that this caller is shown and that are not templates."""
        return [each for each in self.shown(access) if not each.is_template]

    def templates(self, access: Access) -> list[Resource]:
        """The templates that this caller is shown."""
        return [each for each in self.shown(access) if each.is_template]

    def updated(self, uri: str) -> None:
        """Report that the contents at `uri` have changed; subscribed MCP clients are notified. Thread-safe.

        Raises UnknownResource if no resource or template matches `uri`.
        """
        if (normalised := normal(uri)) is None or all(each.template.match(uri) is None for each in self):
            raise UnknownResource(uri)
        self._updates.notify(normalised)

    def watch_updates(self, updated: Callable[[str], None]) -> Callable[[], None]:
        """Call `updated` with the normal form (RFC 3986, 6.2.2) of each updated URI, in the thread that reported it,
        until the returned function is called."""
        return self._updates.add(updated)

    def match(self, uri: str, access: Access) -> tuple[Reading, dict[str, Any]]:
        """(the `Reading` at `uri`, the arguments of its function), for this caller.

        A resource with exactly that URI comes first, then the first matching template in their order. Where the caller
        may not read that one, no other is looked for: a template behind it would answer in its place.

        Raises UnknownResource; InsufficientScope for a resource that the caller is shown and needs more scopes for;
        InvalidParams if a template matches but a value is not of its parameter's type.
        """
        found = self.at(uri)
        if found is not None and permitted(found[0], access) is not None:
            return found[0].reading(uri, found[1])
        raise UnknownResource(uri, suggestion=self.suggestion(uri, access))

    def at(self, uri: str) -> tuple[Resource, Mapping[str, str]] | None:
        """(the resource or template that is read at `uri`, the texts of its variables), whoever reads it; or None."""
        if (normalised := normal(uri)) is not None and (exact := self.find(normalised)) is not None:
            return exact, {}
        for each in self:
            if each.is_template and (values := each.template.match(uri)) is not None:
                return each, values
        return None

    def template(self, uri: str, access: Access) -> Resource:
        """The resource with exactly this URI or template text, as completion requests refer to it, for this caller.

        Raises UnknownResource, and InsufficientScope as `match` does.
        """
        for each in self:
            if each.uri == uri and permitted(each, access) is not None:
                return each
        raise UnknownResource(uri, suggestion=self.suggestion(uri, access))
