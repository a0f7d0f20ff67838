"""Every test of a fix runs twice: with the speed-ups, as shipped, and with MCP_APP_SPEEDUPS=false. A test of a defect,
which says so by "without" in its name, needs no second time: a defect is shown without speed-ups anyway."""

from __future__ import annotations

from collections.abc import Iterator

import defects
import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.startswith("test_fix_") and "without" not in metafunc.function.__name__:
        metafunc.fixturenames.append("with_speedups")
        metafunc.parametrize("with_speedups", [True, False], ids=["shipped", "as_released"], indirect=True)


@pytest.fixture
def with_speedups(request: pytest.FixtureRequest) -> Iterator[None]:
    """What `defects.fixed()` means in this test."""
    defects.with_speedups = request.param
    yield
    defects.with_speedups = True
