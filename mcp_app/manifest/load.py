"""Reads mcp.json: the given path, else that of the working directory, else the default in the package.

Only reading; `parse_manifest` validates it.
"""

from __future__ import annotations

from pathlib import Path

from mcp_app.config.defaults import default_text

from .explain import ManifestError
from .manifest import MAX_BYTES, Manifest, parse_manifest

FILE_NAME = "mcp.json"


def load_manifest(path: Path | None = None) -> Manifest:
    """The manifest in `path`, or in the working directory's mcp.json if there is one, or the default.

    Raises ManifestError if the file is missing, unreadable or invalid. The default never replaces a given `path`.
    """
    if path is not None:
        return _read(path)
    here = Path(FILE_NAME)
    if here.exists() or here.is_symlink():  # a dangling link is an error; the default is not used
        return _read(here)
    return parse_manifest(default_text(FILE_NAME).encode(), file=f"{FILE_NAME} (default)")


def _read(path: Path) -> Manifest:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # one byte more, to detect a larger file
    except OSError as error:
        raise ManifestError(str(path), "", f"cannot be read: {error.strerror or error}") from None
    return parse_manifest(text, file=str(path))
