"""`@resource`: inspects a function and a URI, refuses what cannot be read, and makes a `Resource` of the rest.

There is no global registry: the decorator returns a value, which a server adds to its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from ..protocol.errors import ToolDefinitionError
from ..protocol.http.uri_template import TemplateError, UriTemplate
from .content import Annotations
from .content_data import checked_type
from .metadata import Icon, Metadata
from .permitted import scopes_of
from .resource import Resource
from .source import check_sendable, title_of
from .typed_function import TypedFunction, typed_function


def resource(
    uri: str,
    /,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    mime_type: str | None = None,
    size: int | None = None,
    annotations: Annotations | None = None,
    icons: Iterable[Icon] = (),
    meta: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    cache_seconds: float = 0,
    cache_scope: Literal["public", "private"] = "private",
    scopes: Iterable[str] = (),
    hidden: bool = False,
) -> Callable[[Callable[..., Any]], Resource]:
    """Make a resource of a typed function: its return value is read at `uri`.

    A str is sent as text, bytes as a blob, anything else as JSON; `EmbeddedResource` and `File` are contents with a URI
    of their own, and a list of them is several contents. None means that there is no resource at this URI.

    uri: a URI, or a template with variables (RFC 6570): `{id}`, or as the last one `{+path}`, which may contain
        slashes. Each variable is a parameter of the function and has its type. No value starts with a slash or has
        `..` between slashes.
    name: for programs; the function's name by default. title: for people; derived from the name by default.
    description: the docstring by default.
    mime_type: of the contents; derived from the return value by default. size: in bytes, if known.
    icons, meta, tags: for clients: pictures, further members of `_meta`, and words to sort resources by.
    cache_seconds: how long clients may cache the contents, in seconds.
    cache_scope: "public" if the contents are the same for every caller.
    scopes: what a caller needs to read it, all of them. hidden: it is in no list, and read by who knows its URI.

    Raises ToolDefinitionError naming the function and what to do.
    """
    if not isinstance(uri, str):
        raise ToolDefinitionError(f'{uri!r} is no URI: write @resource("scheme://path") over the function.')

    def decorate(function: Callable[..., Any]) -> Resource:
        typed = typed_function(function, "resource", name or None, depth=1)
        template = _template(uri, typed)
        try:
            checked_type(mime_type)
        except ValueError as error:
            raise ToolDefinitionError(f"{typed.where}: {error}.") from error
        if size is not None and (size < 0 or template.variables):
            raise ToolDefinitionError(f"{typed.where}: size is of one resource and in bytes, not {size} for {uri}.")
        if not 0 <= cache_seconds < float("inf") or cache_scope not in {"public", "private"}:
            raise ToolDefinitionError(
                f"{typed.where}: cache_seconds is a number from 0 on, cache_scope is public or private."
            )
        needed = scopes_of(typed.where, scopes)
        if needed and cache_scope == "public":
            raise ToolDefinitionError(
                f'{typed.where}: cache_scope="public" lets caches give the contents to callers without the scopes: '
                "leave one of the two out."
            )
        made = Resource(
            uri=uri,
            name=typed.name,
            title=title or title_of(typed.name),
            description=description if description is not None else typed.description,
            mime_type=mime_type,
            size=size,
            annotations=annotations,
            metadata=Metadata.of(typed.where, icons, meta, tags),
            cache_seconds=cache_seconds,
            cache_scope=cache_scope,
            scopes=needed,
            hidden=hidden,
            template=template,
            typed=typed,
        )
        check_sendable(typed.where, made.wire())
        return made

    return decorate


def _template(uri: str, typed: TypedFunction) -> UriTemplate:
    try:
        template = UriTemplate.parse(uri)
    except TemplateError as error:
        raise ToolDefinitionError(f"{typed.where}: {error}") from error
    variables, parameters = {variable.name for variable in template.variables}, set(typed.parameters)
    if variables != parameters:
        named, wanted = (", ".join(sorted(each)) or "none" for each in (variables, parameters))
        raise ToolDefinitionError(
            f"{typed.where}: the variables of {uri!r} are {named}, the function's parameters are {wanted}. "
            "Each variable is a parameter, and each parameter a variable."
        )
    return template
