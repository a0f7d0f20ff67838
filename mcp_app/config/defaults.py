"""The default files of the package: mcp.json and hypercorn.toml.

They are at the top of the repository, where people look for them, and the wheel has them inside the package
(pyproject.toml, force-include). Their content, and the user's files that replace them, are not known here.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

PACKAGED = "_defaults"
"""Folder of the installed package into which the wheel puts the files."""


def default_text(name: str) -> str:
    """The text of the default file `name`: from the installed package, or else from the checkout.

    Raises FileNotFoundError when neither has the file: the installation is damaged.
    """
    packaged = files("mcp_app") / PACKAGED / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parent.parent.parent / name).read_text(encoding="utf-8")
