"""What `client` is given -> the application that is tested. Nothing is asked or started here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from quart import Quart

from mcp_app import (
    Access,
    Around,
    Prompt,
    Prompts,
    Registry,
    Request,
    Resource,
    Resources,
    Settings,
    Tool,
    create_app,
)
from mcp_app.loading import definitions
from mcp_app.loading.toolfile import is_file, split

Offered = str | Path | Tool | Resource | Prompt | Around | Registry | Resources | Prompts | Quart | Sequence[Any]
"""A file or a module as `mcp-app serve` takes them, with `:NAME` or without; a tool, a resource, a prompt, an Around, a
list of these; a Registry, Resources or Prompts; an application of `create_app`."""


Told = Callable[[Request], Access | None]


def application_of(offered: Sequence[Offered], settings: Settings | None, verifiers: Sequence[Told] = ()) -> Quart:
    """The application. Raises ToolFileError for what is not there or offers nothing, ToolDefinitionError, and TypeError
    for what does not go with an application."""
    items = [_found(each) for each in _flat(offered)]
    apps = [each for each in items if definitions.is_ours(each)]
    if apps and len(items) > 1:
        raise TypeError("an application is tested by itself: give nothing beside it")
    if apps and settings is not None:
        raise TypeError("an application has settings of its own: give them to create_app")
    if apps and verifiers:
        raise TypeError("an application has verifiers of its own: send what they take, by headers=, not access=")
    if apps:
        found: Quart = apps[0]
        return found
    loaded = definitions.load(*items) if items else definitions.empty()
    names = [each for each in items if isinstance(each, str)]
    instructions = definitions.instructions(*names) if names else None
    return create_app(
        settings,
        loaded.tools,
        resources=loaded.resources,
        prompts=loaded.prompts,
        instructions=instructions,
        around=loaded.arounds,
        verifiers=verifiers,
    )


def _found(each: object) -> Any:
    """A file by its whole path, as one name can be another file elsewhere; an application that is named, itself."""
    if not isinstance(each, str | Path):
        return each
    name, attribute = split(str(each))
    if is_file(name):
        name = str(Path(name).resolve())
    whole = f"{name}:{attribute}" if attribute else name
    found = definitions.application(whole)
    return whole if found is None else found


def _flat(items: Iterable[object]) -> Iterator[object]:
    for each in items:
        if isinstance(each, list | tuple):
            yield from each
        else:
            yield each
