"""Imports a file or module that is named by an operator or an application, like any module, with its side effects.

What is in it is not looked at here. Errors are one line.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..protocol.errors import ToolDefinitionError


class ToolFileError(Exception):
    """What was named cannot be imported, or has no tools. The message is one line: what is wrong, where, and the
    remedy."""


def import_named(name: str) -> ModuleType:
    """Import a file by its path, or a module by its dotted name; only once. Raises `ToolFileError`, with file and line
    if it raises."""
    key = str(Path(name).absolute()) if is_file(name) else name
    if key not in _imported:
        _imported[key] = _import_file(Path(name)) if is_file(name) else _import_module(name)
    return _imported[key]


_imported: dict[str, ModuleType] = {}
"""By path, whatever the working directory was, or by dotted name."""


def split(name: str) -> tuple[str, str]:
    """`FILE.py:NAME` or `module:NAME` as its two parts; the second is empty where none is named."""
    module, colon, attribute = name.rpartition(":")
    if colon and module and all(part.isidentifier() for part in attribute.split(".")) and not name.endswith(".py"):
        return module, attribute
    return name, ""


def is_file(name: str) -> bool:
    """Whether `name` is a path, not a module's dotted name. What can be neither is a path that is not there."""
    return name.endswith(".py") or "/" in name or not all(part.isidentifier() for part in name.split("."))


def source_of(name: str) -> Path:
    """The file of `name`, or its folder if it is a package: the path to watch for changes. Raises ToolFileError."""
    if is_file(name):
        return Path(name)
    _working_directory_first()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise ToolFileError(f"{name}: no such file or module")
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _import_file(path: Path) -> ModuleType:
    if path.is_dir():
        raise ToolFileError(f"{path}: a directory: name a file of tools in it, such as {path / 'tools.py'}")
    if not path.is_file():
        raise ToolFileError(f"{path}: no such file")
    name = next(each for each in _names(path.stem) if each not in sys.modules or _is_of(sys.modules[each], path))
    if name in sys.modules:
        return sys.modules[name]  # imported by the application that is to have these tools
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ToolFileError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic and pickle look up the names of a module
    _first_in_path(path.resolve().parent)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)  # as Python's own import does: what is there counts as imported
        if not isinstance(error, Exception | SystemExit):
            raise
        raise ToolFileError(_explained(str(path), path.resolve(), error)) from error
    return module


def _names(stem: str) -> Iterator[str]:
    """The names that a file's module may have: its stem, so that modules beside it can import it, unless other modules
    have that."""
    yield stem
    yield f"mcp_app_tools_{stem}"
    for number in itertools.count(2):
        yield f"mcp_app_tools_{stem}_{number}"


def _import_module(name: str) -> ModuleType:
    _working_directory_first()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise ToolFileError(f"{name}: no such file or module") from error
        raise ToolFileError(_explained(name, None, error)) from error


def _working_directory_first() -> None:
    """Put the working directory first in sys.path, as `python -m` does; installed commands have their folder there."""
    _first_in_path(Path.cwd())


def _first_in_path(folder: Path) -> None:
    """An order in which the folder already is stays: an application's own modules are found as before."""
    if not any(Path(each).resolve() == folder for each in sys.path):
        sys.path.insert(0, str(folder))


def _is_of(module: ModuleType, path: Path) -> bool:
    own = getattr(module, "__file__", None)
    return own is not None and Path(own).resolve() == path.resolve()


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
    told = (ImportError, ToolDefinitionError)  # which say where by themselves: in which of our lines helps no author
    deeper = [frame for frame in others[-1:] if own and frame not in own and not isinstance(error, told)]
    raised = "".join(f" (raised at {each.filename}:{each.lineno}, in {each.name}; see --traceback)" for each in deeper)
    return f"{place}: {type(error).__name__}: {message}{raised}"
