"""The files that are shipped as defaults: mcp.json and hypercorn.toml.

They stand at the top of the repository, where a reader looks for them, and the wheel carries them inside of the package
(pyproject.toml, force-include). Nothing here knows what is in them, or which file of the user's replaces them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

PACKAGED = "_defaults"
"""Folder inside of the installed package that the wheel puts the files into."""


def default_text(name: str) -> str:
    """The shipped file `name`, as text: from the installed package, else from the checkout it runs from.

    Raises FileNotFoundError when the installation is damaged: neither has the file.
    """
    packaged = files("mcp_app") / PACKAGED / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parent.parent.parent / name).read_text(encoding="utf-8")
