"""Settings of the tool `analyze_dataset`, from the environment. Only values; nothing is opened here."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import DirectoryPath

from mcp_app import FromEnvironment

SAMPLE = Path(__file__).parent.parent / "sample" / "data"
"""The files that ship: what there is to look at while no root is named."""


class DataSettings(FromEnvironment):
    """Which files callers may have analysed."""

    environment_prefix: ClassVar[str] = "MCP_APP_"

    data_root: DirectoryPath = SAMPLE
    """The folder of the files; nothing outside of it is read, and no link below it is followed."""
