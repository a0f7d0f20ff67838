"""The tools, resources, prompts and arounds of files, modules and objects that are named, or the application of one.

How a file is imported is in `toolfile`; nothing is served here. Errors are one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from ..authoring.around import Around
from ..authoring.catalogue import Catalogue
from ..authoring.prompt import Prompt, Prompts
from ..authoring.resource import Resource, Resources
from ..authoring.tool import Registry, Tool
from .toolfile import ToolFileError, import_named, split

C = TypeVar("C", bound=Catalogue[Any])


class Definitions(NamedTuple):
    """What is offered by a server, and what its operator is to be told of the files."""

    tools: Registry
    resources: Resources
    prompts: Prompts
    arounds: tuple[Around, ...] = ()
    notes: tuple[str, ...] = ()


def empty() -> Definitions:
    """The definitions of a server without a file."""
    return Definitions(Registry(), Resources(), Prompts())


def load(*names: Any) -> Definitions:
    """Import each of `names` and collect every Tool, Resource and Prompt among its globals, in the order of definition.
    What is no name is one of these, or a Registry, Resources or Prompts, itself.

    A name is a path that ends in .py or a module's dotted name; with `:NAME` behind it, only that object counts: a
    Registry, Resources or Prompts, a tool, or a list of these. If there is a Registry, Resources or Prompts, it is used
    instead of a collected one: its module can then add and remove while the server runs. Each Around of a module is for
    all that is served, whatever is named of the module.

    Raises `ToolFileError`, with file and line if a module raises, and ToolDefinitionError for two of the same name.
    """
    tools: list[_Part[Registry]] = []
    resources: list[_Part[Resources]] = []
    prompts: list[_Part[Prompts]] = []
    arounds: dict[Around, None] = {}
    offers = False
    for given in names:
        name = given if isinstance(given, str) else _described(given)
        own = _arounds(given)
        values = list({id(value): value for value in (_values(given) if given is name else [given])}.values())
        offered = any(isinstance(value, _OFFERED) for value in values)
        if not offered and (not own or (given is name and split(name)[1])):
            raise ToolFileError(_nothing(name))
        offers |= offered
        arounds |= dict.fromkeys(own)
        tools.append(_part(name, values, Registry, Tool, Registry))
        resources.append(_part(name, values, Resources, Resource, Resources))
        prompts.append(_part(name, values, Prompts, Prompt, Prompts))
    modules = [name for name in names if isinstance(name, str) and not split(name)[1]]
    if names and not offers:
        raise ToolFileError(_nothing(modules[0]) if modules else "functions around tools are given, and no tools")
    notes = [note for name in modules for note in _ignored(name)]
    return Definitions(_together(tools), _together(resources), _together(prompts), tuple(arounds), tuple(notes))


def instructions(*names: str) -> str | None:
    """The docstrings of the files and modules, in their order: what the models that use the server are told."""
    modules = [import_named(module) for module in dict.fromkeys(split(name)[0] for name in names)]
    return "\n\n".join(text for each in modules if (text := inspect.cleandoc(each.__doc__ or "").strip())) or None


def _arounds(given: Any) -> list[Around]:
    values = vars(import_named(split(given)[0])).values() if isinstance(given, str) else [given]
    return [value for value in values if isinstance(value, Around)]


class _Part(NamedTuple, Generic[C]):
    """What one file offers of a kind, and whether that is a catalogue of its own, by which it may change it later."""

    name: str
    items: C
    own: bool


def application(name: str) -> Any:
    """The application that `create_app` made, if `name` ends with its `:NAME`; None for anything else."""
    attribute = split(name)[1]
    if not attribute:
        return None
    found = _attribute(name)
    if is_ours(found):
        return found
    if _is_application(attribute, found):
        raise ToolFileError(f"{name}: an application that create_app did not make: serve it with hypercorn")
    return None


_OFFERED = (Tool, Resource, Prompt, Registry, Resources, Prompts)


def _described(given: object) -> str:
    """An object that is given instead of a name, in a message. Raises ToolFileError for one that offers nothing."""
    if isinstance(given, Tool | Resource | Prompt | Around):
        return f"the {type(given).__name__.lower()} {given.name}"
    if isinstance(given, _OFFERED):
        return f"the given {type(given).__name__}"
    if isinstance(given, list | tuple):
        raise ToolFileError(f"a {type(given).__name__} of tools is given: give each, *tools")
    if inspect.isroutine(given):
        raise ToolFileError(f"{given.__qualname__} is no tool: decorate it with @tool (from mcp_app import tool)")
    raise ToolFileError(f"neither a name of tools nor a tool: {type(given).__name__}")


def _values(name: str) -> Iterator[object]:
    if not split(name)[1]:
        yield from vars(import_named(name)).values()
        return
    found = _attribute(name)
    yield from found if isinstance(found, list | tuple) else [found]


def _attribute(name: str) -> object:
    module, attribute = split(name)
    found: object = import_named(module)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ToolFileError(f"{module}: there is no {attribute} in it") from None
    return found


def _part(
    name: str, values: Sequence[object], catalogue: type[C], item: type, make: Callable[[Iterable[Any]], C]
) -> _Part[C]:
    own = [value for value in values if isinstance(value, catalogue)]
    if len(own) > 1:
        raise ToolFileError(
            f"{name}: more than one {catalogue.__name__}, and one can be served: name it, as in {name}:NAME"
        )
    return _Part(name, own[0] if own else make(value for value in values if isinstance(value, item)), bool(own))


def _together(parts: Sequence[_Part[C]]) -> C:
    """All of them in one: the one that a file has of its own, if any has."""
    own = list({id(part.items): part for part in parts if part.own}.values())
    if len(own) > 1:
        raise ToolFileError(
            f"{own[0].name} and {own[1].name} each have a {type(own[0].items).__name__} of their own, and one can be "
            "served"
        )
    whole = (own or parts)[0].items
    for item in (item for part in parts for item in part.items):
        if whole.find(item.key) is not item:
            whole.add(item)
    return whole


def _nothing(name: str) -> str:
    if split(name)[1]:
        return f"{name}: no Registry, Resources, Prompts, tool or list of tools, and no application of create_app"
    apps = _applications(name)
    if apps:
        return f"{name}: no tools: {_serves(name, *apps[0])} serves its application"
    elsewhere = _elsewhere(name)
    if elsewhere:
        return f"{name}: no tools among its names, but in {' and in '.join(elsewhere)}"
    return f"{name}: no tools: decorate a function with @tool (from mcp_app import tool)"


def _elsewhere(name: str) -> list[str]:
    """What holds tools, resources or prompts that the module has neither by name nor in a Registry; how to serve it."""
    module = import_named(name)
    values = list(vars(module).values())
    known = {id(each) for value in values for each in (value if isinstance(value, Catalogue) else [value])}
    found = []
    for attribute, holder in vars(module).items():
        if isinstance(holder, list | tuple):
            held, kind, advice = list(holder), "list", f"mcp-app serve {name}:{attribute} serves it"
        elif isinstance(holder, Mapping):
            held, kind, advice = list(holder.values()), "dict", "write a list"
        elif inspect.isclass(holder) and holder.__module__ == module.__name__:
            held, kind, advice = list(vars(holder).values()), "class", "write a list"
        else:
            continue
        if any(isinstance(each, _OFFERED) and id(each) not in known for each in held):
            found.append(f"the {kind} {attribute}: {advice}")
    return found


def _ignored(name: str) -> list[str]:
    elsewhere = [f"{name}: its tools are served, not those in {each}" for each in _elsewhere(name)]
    return elsewhere + [
        f"{name}: its tools are served, its application {attribute} is not, with its routes and hooks: "
        f"{_serves(name, attribute, value)} serves it"
        for attribute, value in _applications(name)
    ]


def _serves(name: str, attribute: str, value: object) -> str:
    if is_ours(value):
        return f"mcp-app serve {name}:{attribute}"
    return f"hypercorn {name.removesuffix('.py').replace('/', '.')}:{attribute}"


def _applications(name: str) -> list[tuple[str, object]]:
    return [(key, value) for key, value in vars(import_named(name)).items() if _is_application(key, value)]


def is_ours(value: object) -> bool:
    """Whether `create_app` made it."""
    extensions = getattr(value, "extensions", None)
    return isinstance(extensions, Mapping) and "mcp_app" in extensions


def _is_application(name: str, value: object) -> bool:
    """Quart's by what create_app leaves in it, another framework's by its name: there is no common class."""
    if is_ours(value):
        return True
    known = isinstance(value, _OFFERED) or inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)
    return name in ("app", "application") and callable(value) and not known
