"""What `client` is given -> the application that is tested. Nothing is asked or started here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quart import Quart

from mcp_app import Prompt, Prompts, Registry, Resource, Resources, Settings, Tool, create_app
from mcp_app.loading import definitions
from mcp_app.loading.toolfile import is_file, split

Offered = str | Path | Tool | Resource | Prompt | Registry | Resources | Prompts | Quart | Sequence[Any]
"""A file or a module as `mcp-app serve` takes them, with `:NAME` or without; a tool, a resource, a prompt, or a list of
these; a Registry, Resources or Prompts; an application of `create_app`."""


def application_of(offered: Sequence[Offered], settings: Settings | None) -> Quart:
    """The application. Raises ToolFileError, ToolDefinitionError, and TypeError for what cannot be offered."""
    items = [_found(each) for each in offered]
    if len(items) == 1 and _is_application(items[0]):
        if settings is not None:
            raise TypeError("an application has settings of its own: give them to create_app")
        found: Quart = items[0]
        return found
    names = [each for each in items if isinstance(each, str)]
    loaded = definitions.load(*names) if names else definitions.empty()
    for each in _flat(each for each in items if not isinstance(each, str)):
        loaded = _with(loaded, each)
    instructions = definitions.instructions(*names) if names else None
    return create_app(
        settings, loaded.tools, resources=loaded.resources, prompts=loaded.prompts, instructions=instructions
    )


def _found(each: Offered) -> Any:
    """A file by its whole path, as one name can be another file elsewhere; an application that is named, itself."""
    if not isinstance(each, str | Path):
        return each
    name, attribute = split(str(each))
    if is_file(name):
        name = str(Path(name).resolve())
    whole = f"{name}:{attribute}" if attribute else name
    found = definitions.application(whole)
    return whole if found is None else found


def _is_application(value: object) -> bool:
    extensions = getattr(value, "extensions", None)
    return isinstance(extensions, Mapping) and "mcp_app" in extensions


def _flat(items: Iterator[Any]) -> Iterator[Any]:
    for each in items:
        if isinstance(each, list | tuple):
            yield from each
        else:
            yield each


def _with(loaded: definitions.Definitions, item: object) -> definitions.Definitions:
    """A catalogue is served as it is, if nothing else of its kind is, so that a test can change it."""
    for field, catalogue, kind in _KINDS:
        there = getattr(loaded, field)
        if isinstance(item, kind):
            there.add(item)
            return loaded
        if isinstance(item, catalogue):
            if not len(there):
                return loaded._replace(**{field: item})
            for each in item:
                there.add(each)
            return loaded
    raise TypeError(_cannot(item))


_KINDS: Sequence[tuple[str, type[Any], type[Any]]] = (
    ("tools", Registry, Tool),
    ("resources", Resources, Resource),
    ("prompts", Prompts, Prompt),
)


def _cannot(item: object) -> str:
    if _is_application(item):
        return "an application is tested by itself: give nothing beside it"
    if isinstance(item, str | Path):
        return f"{str(item)!r} in a list: give files and modules one by one, as in client('a.py', 'b.py')"
    if callable(item):
        name = getattr(item, "__name__", repr(item))
        return f"{name} is a function, no tool: decorate it with @tool (from mcp_app import tool)"
    return f"{item!r} is no file, tool, resource or prompt, no list or Registry of these, and no application"
