"""Imports the file or module named on the command line and collects its tools, resources and prompts.

Nothing is served here. The file is imported like any module, with its side effects. Errors are one line.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeVar

from mcp_app.authoring.prompt import Prompt, Prompts
from mcp_app.authoring.resource import Resource, Resources
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.server.errors import StartError

T = TypeVar("T")


class Definitions(NamedTuple):
    """The tools, resources and prompts of one module."""

    tools: Registry
    resources: Resources
    prompts: Prompts


def empty() -> Definitions:
    """The definitions of a server without a file."""
    return Definitions(Registry(), Resources(), Prompts())


def load(name: str) -> Definitions:
    """Import a module and collect every Tool, Resource and Prompt among its globals, in the order of their definition.

    If the module has a Registry, Resources or Prompts of its own, that one is used instead of a collected one: the
    module can then add and remove while the server runs. `name` is a path that ends in .py, or a module's dotted name.

    Raises `StartError`, with file and line if the module raises, and ToolDefinitionError for two of the same name.
    """
    module = _import_file(Path(name)) if is_file(name) else _import_module(name)
    found = list({id(value): value for value in vars(module).values()}.values())
    definitions = Definitions(
        _own(name, found, Registry, lambda: Registry(each for each in found if isinstance(each, Tool))),
        _own(name, found, Resources, lambda: Resources(each for each in found if isinstance(each, Resource))),
        _own(name, found, Prompts, lambda: Prompts(each for each in found if isinstance(each, Prompt))),
    )
    if not any(definitions):
        raise StartError(f"{name}: no tools: decorate a function with @tool (from mcp_app import tool)")
    return definitions


def _own(name: str, found: list[object], item_type: type[T], collect: Callable[[], T]) -> T:
    own = [value for value in found if isinstance(value, item_type)]
    if len(own) > 1:
        raise StartError(
            f"{name}: more than one {item_type.__name__}, and one can be served: which one is not to be told"
        )
    return own[0] if own else collect()


def is_file(name: str) -> bool:
    """Whether `name` is a path, not a module's dotted name."""
    return name.endswith(".py") or "/" in name


def source_of(name: str) -> Path:
    """The file of `name`, or its folder if it is a package: the path to watch for changes. Raises StartError."""
    if is_file(name):
        return Path(name)
    _working_directory_first()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise StartError(f"{name}: no such file or module")
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StartError(f"{path}: no such file")
    # The file's stem, so that modules beside it can import it, unless a module of that name is already imported.
    name = path.stem if path.stem not in sys.modules else f"mcp_app_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise StartError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic and pickle look up the names of a module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StartError(_explained(str(path), path.resolve(), error)) from error
    return module


def _import_module(name: str) -> ModuleType:
    _working_directory_first()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise StartError(f"{name}: no such file or module") from error
        raise StartError(_explained(name, None, error)) from error


def _working_directory_first() -> None:
    """Put the working directory first in sys.path, as `python -m` does; installed commands have their folder there."""
    if sys.path[:1] != [str(Path.cwd())]:
        sys.path.insert(0, str(Path.cwd()))


def _explained(name: str, path: Path | None, error: BaseException) -> str:
    """One line: file, line number, exception type, message. The line is that of the innermost frame in the named file,
    else of the innermost one outside of Python's import machinery."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or name}:{error.lineno}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    own = [frame for frame in frames if path is not None and frame.filename == str(path)]
    others = [frame for frame in frames if not frame.filename.startswith(str(Path(importlib.__file__).parent))]
    last = (own or others)[-1:]
    place = f"{name if own else last[0].filename}:{last[0].lineno}" if last else name
    message = " ".join(str(error).split()) or "(no message)"
    return f"{place}: {type(error).__name__}: {message}"
