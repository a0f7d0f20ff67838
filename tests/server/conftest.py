"""Tests of a defect, which say so by "as_released" in their names: most are unhandled errors of Hypercorn's."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

DEFECT = "as_released"

EXPECTED = ("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
"""A task that dies with such an error says so when it is collected; so does what it never awaited."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if DEFECT in item.name:
            item.add_marker(pytest.mark.filterwarnings(*EXPECTED))


@pytest.fixture(autouse=True)
def _nothing_is_said_later(request: pytest.FixtureRequest) -> Iterator[None]:
    """It says so within the test, where it is expected, and not in some later one."""
    if DEFECT not in request.node.name:
        yield
        return
    # A record of the error would keep it alive beyond this test.
    request.getfixturevalue("caplog").set_level(logging.CRITICAL, "asyncio")
    yield
    gc.collect()
