"""The tool that a call is of: its module is imported again, and must be the one that the server imported.

Nothing is run here but what runs when the module is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from ..authoring.findable import found
from ..authoring.placement import Origin, source_digest
from ..authoring.tool import Tool
from ..protocol.errors import ToolFailed


def load(origin: Origin, name: str) -> Tool:
    """The tool. Raises ToolFailed for one that cannot be imported, or is not what it is in the server."""
    if origin.module not in sys.modules:
        if source_digest({}, origin.file) not in ("", origin.source):
            raise _changed(name)
        try:
            _import(origin)
        except BaseException as error:
            sys.modules.pop(origin.module, None)
            raise ToolFailed(f"The module of the tool {name} could not be imported in its process.") from error
    tool = found(origin.module, name)
    if tool is None or tool.origin is None or tool.origin.source != origin.source:
        raise _changed(name)
    if tool.origin.schema != origin.schema:
        raise ToolFailed(
            f"The tool {name} takes or returns something else in its process than in the server: its definition "
            "depends on more than its module, which is imported again there."
        )
    return tool


def _changed(name: str) -> ToolFailed:
    return ToolFailed(f"The file of the tool {name} has changed since the server was started: start the server again.")


def _import(origin: Origin) -> None:
    """By its name where that leads to its file, else by its file, as `mcp-app serve FILE.py` does."""
    try:
        spec = importlib.util.find_spec(origin.module)
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin is not None and Path(spec.origin).absolute() == Path(origin.file):
        importlib.import_module(origin.module)
        return
    spec = importlib.util.spec_from_file_location(origin.module, origin.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{origin.file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[origin.module] = module
    spec.loader.exec_module(module)
