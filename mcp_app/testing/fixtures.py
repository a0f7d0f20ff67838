"""The fixtures of `pytest_plugins = "mcp_app.testing"`. The only module that imports pytest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pytest

from mcp_app.loading.toolfile import is_file, split

if TYPE_CHECKING:
    from mcp_app import Settings
    from mcp_app.testing.calling import Client, MakeClient
    from mcp_app.testing.options import Options
    from mcp_app.testing.served import Offered


@pytest.fixture
def mcp_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """`client`, with two things more: a file is looked for beside the test first, then in the directories above it up
    to pytest's root; and what was logged is a section of the report of a test that fails."""
    from mcp_app.testing.calling import client

    logs: list[Callable[[], str]] = []

    @asynccontextmanager
    async def make(
        *offered: Offered, settings: Settings | None = None, **options: Unpack[Options]
    ) -> AsyncIterator[Client]:
        found = [_beside(each, request.path.parent, request.config.rootpath) for each in offered]
        async with client(*found, settings=settings, **options) as made:
            logs.append(lambda: made.log)
            yield made

    yield make
    for log in filter(None, (each() for each in logs)):
        request.node.add_report_section("teardown", "log of mcp_app", log)


def _beside(offered: Offered, folder: Path, root: Path) -> Offered:
    if not isinstance(offered, str | Path):
        return offered
    name, attribute = split(str(offered))
    if not is_file(name) or Path(name).is_absolute():
        return offered
    for each in (folder, *folder.parents):
        if (path := each / name).is_file():
            return f"{path}:{attribute}" if attribute else str(path)
        if each == root:
            break
    return offered
