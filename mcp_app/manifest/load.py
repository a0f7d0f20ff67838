"""Which mcp.json is read: the one named, else the working directory's, else the one that is shipped.

Reading only; what the file may say is `parse_manifest`'s.
"""

from __future__ import annotations

from pathlib import Path

from mcp_app.config.defaults import default_text

from .explain import ManifestError
from .manifest import MAX_BYTES, Manifest, parse_manifest

FILE_NAME = "mcp.json"


def load_manifest(path: Path | None = None) -> Manifest:
    """The manifest of `path`, or of the working directory's mcp.json if there is one, or the default.

    Raises ManifestError: the file is not there, cannot be read, or is wrong. A file named is never replaced by the
    default.
    """
    if path is not None:
        return _read(path)
    here = Path(FILE_NAME)
    if here.exists() or here.is_symlink():  # a link that leads nowhere is an error, not a reason for the default
        return _read(here)
    return parse_manifest(default_text(FILE_NAME).encode(), file=f"{FILE_NAME} (default)")


def _read(path: Path) -> Manifest:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # one more, so that a larger file is seen to be too large
    except OSError as error:
        raise ManifestError(str(path), "", f"cannot be read: {error.strerror or error}") from None
    return parse_manifest(text, file=str(path))
